import { ProtocolViolation } from './frame.ts'
import { ENTROPY_BYTES } from './limits.ts'

/** What only a guest with a kernel of its own is given. */
export interface MachineConfiguration {
  /** Fresh random bytes that nobody else has seen or will see. */
  readonly entropy: Buffer
  /** The time that the guest's clock is set to, in milliseconds since 1970. */
  readonly clockMs: number
}

/** What a machine did with it, in this order: `proof` is the reading of the bytes beside the report. */
export const reseedSteps = ['entropy', 'reseed', 'clock', 'proof'] as const

/** How a machine got random numbers of its own. */
export interface ReseedReport {
  /** What its generator gave afterwards. */
  readonly proof: Buffer
  readonly failed: { readonly step: string; readonly errno: string } | undefined
}

/** What a guest says that was asked to get ready for a snapshot. */
export interface QuietReport {
  /** Of the one command that stands by; 0: none. */
  readonly channel: number
  readonly obstacle: { readonly step: string; readonly errno: string } | undefined
}

/** entropy · clock in µs u64 */
export function encodeMachine({ entropy, clockMs }: MachineConfiguration): Buffer {
  if (entropy.length !== ENTROPY_BYTES)
    throw new RangeError(`A machine takes ${ENTROPY_BYTES} random bytes`)
  const clock = Buffer.alloc(8)
  clock.writeBigUInt64BE(BigInt(Math.round(clockMs * 1000)))
  return Buffer.concat([entropy, clock])
}

export function reseedReport(proof: Buffer, errnos: readonly (string | undefined)[]): ReseedReport {
  const at = errnos.findIndex((errno) => errno !== undefined)
  const step = reseedSteps[at]
  const errno = errnos[at]
  return { proof, failed: step && errno ? { step, errno } : undefined }
}

/** channel u32 · empty, or `step ERRNO` */
export function parseQuiet(payload: Buffer): QuietReport {
  const channel = payload.readUInt32BE(0)
  const text = payload.subarray(4)
  const obstacle = parseReason(text)
  if (text.length > 0 !== (obstacle !== undefined) || (obstacle && channel !== 0))
    throw new ProtocolViolation('Malformed QUIET')
  return { channel, obstacle }
}

/** `step ERRNO`; undefined: it is something else. */
export function parseReason(
  text: Buffer,
): { readonly step: string; readonly errno: string } | undefined {
  const match = /^([a-z]{1,16}) (E[A-Z0-9]{1,20})$/.exec(text.toString('latin1'))
  return match?.[1] && match[2] ? { step: match[1], errno: match[2] } : undefined
}
