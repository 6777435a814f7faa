import type { Duplex } from 'node:stream'
import type { BootPhases, HostFinding } from '@aegis/core'
import type { LimitBackend, Living } from '@aegis/sandbox'
import type { MachinePlan } from './machine-plan.ts'

/** How a monitor ended, and what the guest's kernel said last. */
export interface MachineEnd {
  readonly reason: string
  /** The end of its console and of the monitor's own words, bounded and disarmed. */
  readonly words: string
  /** The host's kernel killed the monitor for its memory. */
  readonly outOfMemory: boolean
}

/** A snapshot of a machine, as files that belong to whoever made it. They never change again. */
export interface MachineSnapshot {
  readonly plan: MachinePlan
  /** Devices and processors. */
  readonly statePath: string
  readonly memoryPath: string
}

/** A running machine. Disposing it kills the monitor and leaves nothing of it on the host. */
export interface Machine extends AsyncDisposable {
  /** The wire to the guest. Ends with the machine, and with every snapshot. */
  readonly wire: Duplex
  /** Resolves once; never rejects. */
  readonly ended: Promise<MachineEnd>
  /** What took how long until the wire was there, in milliseconds. */
  readonly phases: BootPhases
  /** Resident memory of the monitor and its guest, in bytes; undefined once it is gone. */
  residentBytes(): Promise<number | undefined>
  /** Of the host's processors, by all of it so far; undefined once it is gone. */
  cpuMs(): Promise<number | undefined>
  /**
   * Pauses the machine, writes its state into `directory`, and leaves it paused: it is of no use but
   * to be disposed.
   * @throws AegisError `unavailable` / `snapshot.failed` · `unsupported` / `snapshot.unsupported`
   */
  snapshot(directory: string, signal: AbortSignal): Promise<MachineSnapshot>
}

/** What the product calls VMM: a program that runs machines. One of them per node. */
export interface Monitor extends AsyncDisposable {
  readonly name: 'firecracker' | 'qemu'
  /** With version and acceleration, for people: `QEMU 7.2.22, software emulation`. */
  readonly description: string
  /** Names all that a snapshot depends on besides the plan: monitor, version, processor. */
  readonly snapshotClass: string
  /** What of the host holds its machines back from outside, besides their own size. */
  readonly limits: Pick<LimitBackend, 'enforced' | 'description' | 'remedy'>
  /** How much slower than on real hardware a guest is, for deadlines: 1 with KVM. */
  readonly patience: number
  /**
   * Boots a machine. Leaves nothing behind when it throws.
   * @throws AegisError `unavailable` / `machine.boot` · `exhausted` · `unsupported`
   */
  boot(plan: MachinePlan, signal: AbortSignal): Promise<Machine>
  /**
   * Brings a snapshot to life again. `plan` is the machine to be: an id of its own, and its own copies
   * of what may be written.
   */
  restore(snapshot: MachineSnapshot, plan: MachinePlan, signal: AbortSignal): Promise<Machine>
  /** Kills and removes what an earlier, crashed owner left, but for the machines to keep. */
  sweep(keep: Living): Promise<readonly string[]>
  diagnose(signal: AbortSignal): Promise<readonly HostFinding[]>
}
