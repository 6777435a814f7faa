import type { Duplex } from 'node:stream'
import { AegisError } from '@aegis/core'
import { abortable } from './abortable.ts'
import { type GuestOptions, type GuestSession, Session } from './guest-session.ts'

/**
 * Speaks the wire protocol with the guest at the other end of `stream`, which belongs to the
 * session from now on. Resolves once the guest said hello and was configured; the stream is
 * destroyed when it throws.
 * @throws AegisError `timeout` / `guest.timeout` · `unavailable` / `guest.lost`, `guest.listener`
 */
export async function connectGuest(
  stream: Duplex,
  options: GuestOptions,
  signal: AbortSignal,
): Promise<GuestSession> {
  const session = new Session(stream, options)
  const timeoutMs = options.helloTimeoutMs ?? 10_000
  const deadline = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    deadline.reject(
      new AegisError('timeout', 'guest.timeout', `The guest was not ready within ${timeoutMs} ms`),
    )
  }, timeoutMs)
  try {
    await abortable(Promise.race([session.ready(), deadline.promise]), signal)
    return session
  } catch (error) {
    session.close()
    throw error
  } finally {
    clearTimeout(timer)
  }
}
