import { AegisError } from '@aegis/core'

export interface LocateGuestOptions {
  /** Where the compiled program is kept. */
  readonly buildDirectory: string
  /** A program that was compiled at publishing time. */
  readonly prebuilt?: string
}

/** Path of the guest program for this machine, compiled when missing or older than its source. */
export function locateGuest(_options: LocateGuestOptions): Promise<string> {
  throw new AegisError('unsupported', 'guest.absent', 'The guest is not written yet')
}
