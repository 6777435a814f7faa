import type { SandboxId, SandboxLimits, SandboxStats } from '@aegis/core'

/** How often a limit struck since the group was made, and what its files in memory weigh. */
export interface LimitHits {
  readonly oomKills: number
  readonly pidsRefusals: number
  /** Bytes of tmpfs files and shared memory that are charged to the group. */
  readonly sharedMemoryBytes: number
}

/** A resource limit that the launcher sets before it starts anything. */
export interface ProcessLimit {
  readonly name: 'nofile' | 'nproc' | 'data'
  readonly value: number
}

/** The limits around all processes of one sandbox. */
export interface LimitGroup {
  /** `cgroup.procs` files that the launcher joins before anything else. */
  readonly procsFiles: readonly string[]
  readonly processLimits: readonly ProcessLimit[]
  /** What the group used so far; undefined where nothing counts. */
  usage(): Promise<Omit<SandboxStats, 'ioReadBytes' | 'ioWriteBytes'> | undefined>
  /** All zero once the group is gone. */
  hits(): Promise<LimitHits>
  /** Sends KILL to every process inside. Repeatable. */
  kill(): Promise<void>
  /**
   * Removes the group as soon as its last process is gone. Repeatable.
   * @throws AegisError `unavailable` / `limits.busy` when processes outlive their KILL by seconds
   */
  remove(): Promise<void>
}

export type LimitName = 'cpu' | 'memory' | 'pids'

/**
 * The names of what a sweep must spare, as they are when it has seen what is there: what begins
 * meanwhile belongs to them.
 */
export type Living = Pick<ReadonlySet<string>, 'has'>

/** Makes limit groups on one host. */
export interface LimitBackend {
  /** What it is, for `aegis doctor`: `cgroup v2 at /sys/fs/cgroup/aegis`. */
  readonly description: string
  readonly enforced: Readonly<Record<LimitName, boolean>>
  /** What to do about limits that are not enforced. */
  readonly remedy: string | undefined
  create(id: SandboxId, limits: SandboxLimits): Promise<LimitGroup>
  /** Kills and removes every group of this home but the ones to keep; returns what it removed. */
  sweep(keep: Living): Promise<readonly string[]>
  /** Removes the empty groups above those of sandboxes. */
  close(): Promise<void>
}

export const noHits: LimitHits = { oomKills: 0, pidsRefusals: 0, sharedMemoryBytes: 0 }
