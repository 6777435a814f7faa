import { connect, type Socket } from 'node:net'
import { AegisError } from '@aegis/core'
import type { IpAddress } from './ip-address.ts'
import { subjectOf } from './subject-of.ts'

/**
 * Connects to exactly this address; no name is looked up on the way.
 * @throws AegisError `unavailable` / `egress.unreachable`
 */
export async function dialSocket(
  address: IpAddress,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted()
  const socket = connect({
    host: address.text,
    port,
    family: address.family,
    autoSelectFamily: false,
    allowHalfOpen: true,
    noDelay: true,
  })
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const abort = (): void => reject(signal.reason)
  const fail = (cause: unknown): void => reject(unreachable(address, port, codeOf(cause), cause))
  const late = (): void => reject(unreachable(address, port, `no answer within ${timeoutMs} ms`))
  const timer = setTimeout(late, timeoutMs)
  socket.once('connect', () => resolve(socket))
  // A broken connection shows itself by its close; its error must find a listener at any time.
  socket.on('error', () => undefined)
  socket.once('error', fail)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    socket.off('error', fail)
    signal.removeEventListener('abort', abort)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'it failed'

const unreachable = (
  { text }: IpAddress,
  port: number,
  why: string,
  cause?: unknown,
): AegisError => {
  const message = `${subjectOf(text, port)} cannot be reached: ${why}.`
  return new AegisError('unavailable', 'egress.unreachable', message, { cause })
}
