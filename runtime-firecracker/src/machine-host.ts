import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { AegisError, type SandboxSpec } from '@aegis/core'
import {
  connectGuest,
  type GuestOptions,
  type GuestSession,
  guestNetwork,
  type MachineGuest,
  type ReseedProofs,
} from '@aegis/sandbox'
import { checkMachineSpec } from './check-machine-spec.ts'
import type { MachineDirectories } from './machine/machine-directories.ts'
import type { MachineImage, MachineImages } from './machine/machine-images.ts'
import type { ChosenKernel, MachinePlan } from './machine/machine-plan.ts'
import type { Machine, Monitor } from './machine/monitor.ts'
import { type MachineLogger, type MachineSandbox, makeMachineSandbox } from './machine-sandbox.ts'
import type { SnapshotStore } from './snapshots/snapshot-store.ts'

/** What all machines of one runtime share. */
export interface MachineHost {
  readonly monitor: Monitor
  readonly images: MachineImages
  readonly kernel: ChosenKernel
  /** Path of the disk with the guest program. */
  readonly guestDisk: (signal: AbortSignal) => Promise<string>
  readonly disks: MachineDirectories
  /** No two machines may show the same random numbers. */
  readonly proofs: ReseedProofs
  /** Absent: no snapshots are made. */
  readonly snapshots: SnapshotStore | undefined
  readonly logger: MachineLogger | undefined
  readonly guestTiming: Pick<GuestOptions, 'helloTimeoutMs' | 'pingIntervalMs' | 'pingTimeoutMs'>
}

/** All that a machine is made of, but for what is written on its scratch disk. */
export interface MachineParts {
  readonly image: MachineImage
  readonly plan: MachinePlan
}

/** Of a guest that has opened its wire, on real hardware. */
const helloTimeoutMs = 5_000
const pingTimeoutMs = 15_000

/**
 * Gathers the parts of a machine. `fillScratch` makes the disk `scratch` in an empty directory. Whatever
 * it takes is given back by `steps`.
 */
export async function gatherParts(
  host: MachineHost,
  spec: SandboxSpec,
  forSnapshot: boolean,
  fillScratch: (directory: string) => Promise<void>,
  steps: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<MachineParts> {
  const { image: imageId } = checkMachineSpec(spec)
  const directory = await host.disks.make(spec.id)
  steps.defer(() => host.disks.remove(spec.id))
  const [image, kernel, guestDisk] = await Promise.all([
    host.images.open(imageId, signal).then((opened) => steps.use(opened)),
    host.kernel(signal),
    host.guestDisk(signal),
    fillScratch(directory),
  ])
  signal.throwIfAborted()
  const { memoryBytes, pids } = spec.limits
  const plan: MachinePlan = {
    id: spec.id,
    ...sizeOf(spec),
    kernel,
    disks: {
      guest: { path: guestDisk, readOnly: true },
      image: { path: image.path, readOnly: true },
      scratch: { path: join(directory, 'scratch'), readOnly: false },
    },
    guest: { memoryBytes, pids, readOnly: spec.filesystem.readOnly },
    forSnapshot,
  }
  return { image, plan }
}

/** Speaks with the guest of a machine until it is ready. */
export function openSession(
  host: MachineHost,
  spec: SandboxSpec,
  machine: Machine,
  guest: Omit<MachineGuest, 'proofs'>,
  signal: AbortSignal,
): Promise<GuestSession> {
  const { patience } = host.monitor
  return connectGuest(
    machine.wire,
    {
      helloTimeoutMs: helloTimeoutMs * patience,
      pingTimeoutMs: pingTimeoutMs * Math.min(patience, 4),
      ...host.guestTiming,
      user: commandUser,
      machine: { ...guest, proofs: host.proofs },
      onConnect: spec.onConnect,
      ...(spec.onNotice && { onNotice: spec.onNotice }),
      ...guestNetwork(spec.network, syntheticRange),
      outputLimitBytes: spec.limits.outputBytes,
    },
    signal,
  ).catch((cause: unknown) => whyNot(spec, machine, signal, cause))
}

/** What a machine with a guest that is ready becomes; it owns what `steps` hold from now on. */
export function sandboxOf(
  host: MachineHost,
  spec: SandboxSpec,
  up: {
    readonly image: MachineImage
    readonly machine: Machine
    readonly session: GuestSession
    /** How long it took to get its parts, and from its wire to its guest, in milliseconds. */
    readonly phases: { readonly prepare: number; readonly hello: number }
  },
  steps: AsyncDisposableStack,
): MachineSandbox {
  const { image, machine, session, phases } = up
  const resources = steps.move()
  return makeMachineSandbox({
    spec,
    session,
    machine,
    env: image.env,
    monitor: host.monitor.description,
    bootPhases: { prepare: phases.prepare, ...machine.phases, hello: phases.hello },
    logger: host.logger,
    release: () => resources.disposeAsync(),
  })
}

/** Of agents' commands in every machine: not root, and nobody whom images know. */
const commandUser = { uid: 1000, gid: 1000 }

/** 198.18.0.0/15, which the standards keep for tests: no name of the world leads there. The first
 *  address is the machine's own. */
const syntheticRange = { first: '198.18.0.2', count: 131_000 }

/** What the guest's kernel and the guest itself need besides the commands' memory. */
const kernelBytes = 64 << 20

/** A kernel describes each page of memory, so more of it costs more. */
export function sizeOf({ limits }: Pick<SandboxSpec, 'limits'>) {
  const { memoryBytes, cpuMillicores } = limits
  const whole = memoryBytes + kernelBytes + Math.ceil(memoryBytes / 32)
  const mebibyte = 1 << 20
  return {
    vcpus: Math.max(1, Math.min(Math.ceil(cpuMillicores / 1000), availableParallelism(), 32)),
    memoryBytes: Math.ceil(whole / mebibyte) * mebibyte,
    cpuMillicores,
  }
}

/** The machine's own last words are better than "no hello"; what the host saw of it is better still. */
async function whyNot(
  spec: SandboxSpec,
  machine: Machine,
  signal: AbortSignal,
  cause: unknown,
): Promise<never> {
  signal.throwIfAborted()
  await machine[Symbol.asyncDispose]()
  const { words } = await machine.ended
  if (words === '' || isVerdict(cause)) throw cause
  throw new AegisError(
    'unavailable',
    'sandbox.boot',
    `Sandbox ${spec.id} did not come up: ${words}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}

/** Whether more is known than that the guest was not there in time, or no longer. */
const isVerdict = (error: unknown): boolean =>
  error instanceof AegisError &&
  error.code !== 'guest.timeout' &&
  (error.code !== 'guest.lost' || error.details.cause === 'protocol_violation')
