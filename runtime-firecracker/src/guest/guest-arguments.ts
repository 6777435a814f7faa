import { AegisError } from '@aegis/core'

/** Where the guest finds its wire. */
export type GuestWire =
  /** It connects to the host over vsock. */
  | { readonly kind: 'vsock'; readonly port: number }
  /** A port of a virtio console has this name. */
  | { readonly kind: 'port'; readonly name: string }

/** Where the host waits for a guest that calls over vsock. */
export const vsockPort = 1024

/** What the guest learns from its kernel's command line; all else comes over the wire. */
export interface GuestArguments {
  readonly wire: GuestWire
  /** Of all commands together, what they keep in /dev/shm and in caches included. */
  readonly memoryBytes: number
  /** Processes and threads of all commands together. */
  readonly pids: number
  /** /workspace is read-only for commands. */
  readonly readOnly: boolean
}

/** Where the guest expects its disks, and itself. */
const root = ['root=/dev/vda', 'rootfstype=erofs', 'ro', 'init=/aegis-guest']

/**
 * The words that a guest needs on the command line of its kernel, besides those that the kernel and
 * the monitor need.
 * @throws AegisError `invalid` / `guest.argument` a value that the guest would refuse
 */
export function guestArguments(guest: GuestArguments): readonly string[] {
  return [
    ...root,
    `aegis.wire=${wireText(guest.wire)}`,
    `aegis.memory=${count('memoryBytes', guest.memoryBytes)}`,
    `aegis.pids=${count('pids', guest.pids)}`,
    ...(guest.readOnly ? ['aegis.workspace=ro'] : []),
  ]
}

function wireText(wire: GuestWire): string {
  if (wire.kind === 'vsock') return `vsock:${count('wire.port', wire.port, 0xffff_fffe)}`
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(wire.name))
    throw refused('wire.name', wire.name, '1 to 32 letters, digits, dots, dashes, underscores')
  return `port:${wire.name}`
}

function count(field: string, value: number, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && value > 0 && value <= most) return value
  throw refused(field, value, `a whole number from 1 to ${most}`)
}

function refused(field: string, value: unknown, wanted: string): AegisError {
  return new AegisError(
    'invalid',
    'guest.argument',
    `${field} of a guest is ${JSON.stringify(value)}; it must be ${wanted}`,
    { details: { field } },
  )
}
