import { randomBytes } from 'node:crypto'
import { AegisError } from '@aegis/core'
import type { ReseedProofs } from './reseed-proofs.ts'
import { ProtocolViolation } from './wire/frame.ts'
import { ENTROPY_BYTES, GENERATION_BYTES } from './wire/limits.ts'
import type { MachineConfiguration, ReseedReport } from './wire/machine-messages.ts'
import type { GuestHello } from './wire/messages.ts'

/** A guest that said it is ready for a snapshot; to be kept with it, as JSON too. */
export interface QuietGuest {
  /** The channel of the command that stands by. */
  readonly standby?: number
}

/** For a guest that is the first process of a machine and has the kernel for itself. */
export interface MachineGuest {
  /** A machine that shows the random numbers of another one is refused. */
  readonly proofs: ReseedProofs
  /** The machine comes out of a snapshot that was taken of this guest. */
  readonly restored?: QuietGuest
  /** What the guest's clock is set to, in milliseconds since 1970. Default: this host's. */
  readonly now?: () => number
}

/** One life of a machine: what it has to say and to show before anything may run in it. */
export interface Incarnation {
  /** Names this life; a machine out of a snapshot is woken up with it. */
  readonly generation: Buffer | undefined
  /** @throws ProtocolViolation it is another guest than was expected */
  check(hello: GuestHello): void
  /** For CONFIGURE, made anew for each. */
  configuration(): MachineConfiguration | undefined
  /** Why the guest must not run; undefined: it may. @throws ProtocolViolation it shows nothing */
  refusal(report: ReseedReport | undefined): AegisError | undefined
}

export function makeIncarnation(machine: MachineGuest | undefined): Incarnation {
  const generation = machine?.restored && randomBytes(GENERATION_BYTES)
  return {
    generation,
    check(hello) {
      if (hello.machine !== (machine !== undefined))
        throw new ProtocolViolation(
          machine ? 'The guest has no kernel of its own' : 'The guest claims a kernel of its own',
        )
      if (generation === undefined && hello.generation === undefined) return
      if (generation === undefined || !hello.generation?.equals(generation))
        throw new ProtocolViolation('The guest speaks of another life than this one')
    },
    configuration: () =>
      machine && { entropy: randomBytes(ENTROPY_BYTES), clockMs: (machine.now ?? Date.now)() },
    refusal(report) {
      if ((report !== undefined) !== (machine !== undefined))
        throw new ProtocolViolation('CONFIGURED with a reseed where none was asked for, or without')
      if (!report || !machine) return undefined
      if (report.failed) return failed(report.failed.step, report.failed.errno)
      return machine.proofs.admit(report.proof) ? undefined : repeated()
    },
  }
}

const failed = (step: string, errno: string): AegisError =>
  new AegisError(
    'unavailable',
    'guest.reseed',
    `The machine could not get random numbers of its own (${step}: ${errno}), so nothing was run in it. Use a guest kernel of Linux 5.10 or later`,
    { details: { step, errno } },
  )

const repeated = (): AegisError =>
  new AegisError(
    'unavailable',
    'guest.reseed',
    'The machine showed the random numbers of another machine, so nothing was run in it. Delete the snapshot it came from',
    { details: { step: 'proof', errno: 'EEXIST' } },
  )
