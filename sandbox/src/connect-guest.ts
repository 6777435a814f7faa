import type { Duplex } from 'node:stream'
import { AegisError } from '@aegis/core'
import type { GuestOptions, GuestSession } from './guest-session.ts'

/** Speaks the wire protocol with the guest at the other end of `stream`. */
export function connectGuest(
  _stream: Duplex,
  _options: GuestOptions,
  _signal: AbortSignal,
): Promise<GuestSession> {
  throw new AegisError('unsupported', 'guest.absent', 'The wire protocol is not written yet')
}
