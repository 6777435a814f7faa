import type { AgentId } from '../kernel/ids.ts'
import type { ExecCommand, Sandbox, SandboxFile, SandboxProcess } from './sandbox.ts'
import type { SandboxSpec } from './sandbox-spec.ts'

/** What a snapshot is of: the sandbox of one version of an agent, before it has a task. */
export interface SnapshotSubject {
  readonly agentId: AgentId
  readonly agentRevision: number
  /** What was put in and stays the same. A snapshot with other files in it is one of another version. */
  readonly files: readonly SandboxFile[]
  /** What was started, and waits. */
  readonly command: ExecCommand
}

/** A sandbox that is to become a snapshot. What runs in it acts for nobody. */
export interface SandboxTemplate extends Sandbox {
  /**
   * Keeps the state that the sandbox is in, with its one command that waits, in place of an older
   * snapshot of the same agent. The template is of no use afterwards, but to be disposed.
   * @throws AegisError `conflict` / `guest.busy`, `snapshot.standby` the command does not come to rest,
   * or has ended · `unavailable` / `snapshot.failed`
   */
  keep(subject: SnapshotSubject, signal: AbortSignal): Promise<void>
}

export interface RestoredSandbox {
  readonly sandbox: Sandbox
  /** The command of the subject. Nobody has written to it or read from it. */
  readonly standby: SandboxProcess
}

/** Sandboxes that begin where another one was left. One snapshot is kept for each agent. */
export interface SandboxSnapshots {
  /**
   * Whether one is kept of this version of an agent. It may be refused all the same.
   */
  has(subject: Pick<SnapshotSubject, 'agentId' | 'agentRevision'>): Promise<boolean>
  /** Like `SandboxRuntime.boot`. @throws AegisError as that, and `unsupported` / `snapshot.unsupported` */
  bootTemplate(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxTemplate>
  /**
   * Brings up a sandbox of its own, with random numbers and a clock of its own; undefined when no
   * snapshot is kept. Leaves nothing behind when it throws. A snapshot that is refused is removed.
   * @throws AegisError `denied` / `snapshot.altered`, `snapshot.version` · `unavailable` /
   * `guest.reseed` the sandbox did not show random numbers of its own · what `SandboxRuntime.boot`
   * throws
   */
  restore(
    subject: SnapshotSubject,
    spec: SandboxSpec,
    signal: AbortSignal,
  ): Promise<RestoredSandbox | undefined>
  /** Removes what is kept of agents but for those versions that are wanted. */
  retain(isWanted: (agentId: AgentId, agentRevision: number) => boolean): Promise<void>
}
