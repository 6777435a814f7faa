import type { SandboxSpec } from '../sandbox/sandbox-spec.ts'

/** Who answers for what a sandbox does. */
export type Occupant = Required<Pick<SandboxSpec, 'onConnect' | 'onNotice'>>

/** The place of the one execution that a sandbox serves. */
export interface DoorSlot extends Occupant {
  /** From now on the sandbox acts for this occupant, and never for another. */
  occupy(occupant: Occupant): void
}

/**
 * Stands between a sandbox and the door of its execution, which may not be known when it boots:
 * until then nobody answers for a connection, and each is destroyed.
 */
export function makeDoorSlot(): DoorSlot {
  let occupant: Occupant | undefined
  return {
    occupy(first) {
      if (occupant !== undefined) throw new Error('A sandbox was given to a second execution')
      occupant = first
    },
    onConnect(target, stream) {
      if (occupant === undefined) stream.destroy()
      else occupant.onConnect(target, stream)
    },
    onNotice: (notice) => occupant?.onNotice(notice),
  }
}
