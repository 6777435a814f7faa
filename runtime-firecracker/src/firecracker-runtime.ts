import { join } from 'node:path'
import {
  AegisError,
  type HostFinding,
  type ImageStore,
  type RestoredSandbox,
  type SandboxRuntime,
  type SandboxSnapshots,
  type SandboxSpec,
} from '@aegis/core'
import { makeReseedProofs } from '@aegis/sandbox'
import { bootMachine } from './boot-machine.ts'
import { checkLimits, diagnoseLimits, type WeakerForm } from './check-limits.ts'
import { checkMachineSpec } from './check-machine-spec.ts'
import { makeGuestDisk } from './guest-disk.ts'
import { withGuest } from './guest-initramfs.ts'
import { machineDirectories } from './machine/machine-directories.ts'
import type { MachineImages } from './machine/machine-images.ts'
import type { ChosenKernel } from './machine/machine-plan.ts'
import type { Monitor } from './machine/monitor.ts'
import type { MachineHost } from './machine-host.ts'
import type { MachineLogger } from './machine-sandbox.ts'
import { bootTemplate, restoreMachine, type SnapshotHost } from './machine-snapshots.ts'
import type { SnapshotStore } from './snapshots/snapshot-store.ts'

export interface FirecrackerRuntimeOptions {
  /** Ours alone; made when missing. */
  readonly stateDirectory: string
  /** The guest program, from `locateGuest`. */
  readonly guestPath: string
  /** Belongs to the runtime from now on. */
  readonly monitor: Monitor
  /** The kernel that machines boot. */
  readonly kernel: ChosenKernel
  /** The disks of images. */
  readonly machineImages: MachineImages
  /** What `aegis image` sees of them. */
  readonly images?: ImageStore
  /** Keeps the snapshots of agents. Absent: none are made. */
  readonly snapshots?: SnapshotStore
  readonly allowWeaker?: readonly WeakerForm[]
  /** What `aegis doctor` shows besides the monitor: KVM, kernel, space. */
  readonly diagnoseHost?: (signal: AbortSignal) => Promise<readonly HostFinding[]>
  /** Hears of sandboxes that ended for another reason than their owner's wish. */
  readonly logger?: MachineLogger
  /** How long a guest may take to say hello, once it has opened its wire. */
  readonly helloTimeoutMs?: number
  /** Pause between two pings to a guest. */
  readonly pingIntervalMs?: number
  /** How long a ping may stay unanswered. */
  readonly pingTimeoutMs?: number
}

/**
 * Opens the micro-VMs of this host: a kernel of its own for each sandbox, by whichever monitor this
 * node has. A kernel that is missing is no failure here: `diagnose` says so, and `boot` refuses.
 */
export function openFirecrackerRuntime(options: FirecrackerRuntimeOptions): SandboxRuntime {
  const { monitor, stateDirectory, images, allowWeaker = [] } = options
  const { helloTimeoutMs, pingIntervalMs, pingTimeoutMs } = options
  const live = new Map<string, Promise<AsyncDisposable | undefined>>()
  const closing = new AbortController()
  let guestDisk: Promise<string> | undefined
  const host: MachineHost = {
    monitor,
    images: options.machineImages,
    kernel: withGuest(options.kernel, stateDirectory, options.guestPath),
    guestDisk(signal) {
      guestDisk ??= makeGuestDisk(stateDirectory, options.guestPath, signal).catch((error) => {
        // Made again next time: the disk may only have been full once.
        guestDisk = undefined
        throw error
      })
      return guestDisk
    },
    disks: machineDirectories(join(stateDirectory, 'disks')),
    proofs: makeReseedProofs(),
    snapshots: options.snapshots,
    logger: options.logger,
    guestTiming: {
      ...(helloTimeoutMs !== undefined && { helloTimeoutMs }),
      ...(pingIntervalMs !== undefined && { pingIntervalMs }),
      ...(pingTimeoutMs !== undefined && { pingTimeoutMs }),
    },
  }
  /** What is made under an id is known by it until it is gone. */
  const enter: Enter = async (spec, make, signal) => {
    signal.throwIfAborted()
    closing.signal.throwIfAborted()
    checkMachineSpec(spec)
    checkLimits(monitor.limits, allowWeaker)
    if (live.has(spec.id))
      throw new AegisError('conflict', 'sandbox.exists', `Sandbox ${spec.id} is already running`)
    const undo = new AsyncDisposableStack()
    undo.defer(() => void live.delete(spec.id))
    const making = make(undo, AbortSignal.any([signal, closing.signal]))
    live.set(spec.id, making)
    return making
  }

  return {
    isolation: 'firecracker',
    ...(images && { images }),
    capabilities: async () => ({
      limits: { cpu: monitor.limits.enforced.cpu, memory: true, pids: true, disk: true },
      terminal: true,
      languages: ['python', 'javascript', 'none'],
      images: true,
      applicationKernels: [],
      gpus: false,
      lendsByName: false,
      capturesAddresses: true,
    }),
    ...(hasSnapshots(host) && { snapshots: snapshotsOf(host, enter) }),
    boot: (spec, signal) =>
      enter(
        spec,
        async (undo, either) =>
          (await bootMachine(host, spec, { forSnapshot: false }, undo, either)).sandbox,
        signal,
      ),
    async sweep(signal) {
      signal.throwIfAborted()
      // The monitors first: they still hold the disks open.
      const machines = [...(await monitor.sweep(live)), ...(await host.disks.sweep(live))]
      return { removed: [...machines, ...((await host.snapshots?.sweep()) ?? [])] }
    },
    async diagnose(signal) {
      signal.throwIfAborted()
      const host = (await options.diagnoseHost?.(signal)) ?? []
      const [first, ...rest] = await monitor.diagnose(signal)
      const limits = diagnoseLimits(monitor.limits, allowWeaker)
      return [...(first ? [first] : []), limits, ...rest, ...host]
    },
    async [Symbol.asyncDispose]() {
      closing.abort(closed())
      const booted = await Promise.allSettled(live.values())
      await Promise.all(
        booted.map((boot) => boot.status === 'fulfilled' && boot.value?.[Symbol.asyncDispose]()),
      )
      await monitor[Symbol.asyncDispose]()
    },
  }
}

type Enter = <Up extends AsyncDisposable | undefined>(
  spec: SandboxSpec,
  make: (undo: AsyncDisposableStack, signal: AbortSignal) => Promise<Up>,
  signal: AbortSignal,
) => Promise<Up>

const hasSnapshots = (host: MachineHost): host is SnapshotHost => host.snapshots !== undefined

function snapshotsOf(host: SnapshotHost, enter: Enter): SandboxSnapshots {
  return {
    has: (version) => host.snapshots.has(version),
    retain: (isWanted) => host.snapshots.retain(isWanted),
    bootTemplate: (spec, signal) =>
      enter(spec, (undo, either) => bootTemplate(host, spec, undo, either), signal),
    async restore(subject, spec, signal) {
      const box: { restored?: RestoredSandbox | undefined } = {}
      await enter(
        spec,
        async (undo, either) => {
          box.restored = await restoreMachine(host, subject, spec, undo, either)
          return box.restored?.sandbox
        },
        signal,
      )
      return box.restored
    },
  }
}

const closed = (): AegisError =>
  new AegisError('unavailable', 'runtime.closed', 'This node no longer makes machines: it ends')
