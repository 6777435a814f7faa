import type { BootPhases } from './sandbox.ts'
import type { Isolation } from './sandbox-spec.ts'

/** What a node measures of its sandboxes together. Nothing in it is named by an agent. */
export interface SandboxFigures {
  /** Hears of each boot that succeeded from now on, and of each first word. */
  onMoment(listener: (moment: SandboxMoment) => void): Disposable
  /** What the machines that live now occupy, measured by the host alone. */
  resident(): Promise<readonly ResidentFigures[]>
}

export type SandboxMoment =
  | { readonly kind: 'booted'; readonly isolation: Isolation; readonly phases: BootPhases }
  /** The program said its first word, so long after its sandbox had the task. */
  | { readonly kind: 'spoke'; readonly isolation: Isolation; readonly afterMs: number }

/** Only isolations whose sandboxes are machines are among them, and only while there are some. */
export interface ResidentFigures {
  readonly isolation: Isolation
  /** Of all together, monitors included. */
  readonly bytes: number
  readonly largestBytes: number
}
