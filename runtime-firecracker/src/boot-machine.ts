import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { AegisError, type Sandbox, type SandboxSpec } from '@aegis/core'
import { connectGuest, type GuestOptions, guestNetwork, type ReseedProofs } from '@aegis/sandbox'
import { checkMachineSpec } from './check-machine-spec.ts'
import type { MachineDirectories } from './machine/machine-directories.ts'
import type { MachineImages } from './machine/machine-images.ts'
import type { ChosenKernel, MachinePlan } from './machine/machine-plan.ts'
import type { Machine, Monitor } from './machine/monitor.ts'
import { type MachineLogger, makeMachineSandbox } from './machine-sandbox.ts'
import { makeScratchDisk } from './scratch-disk.ts'

/** What all boots of one runtime share. */
export interface MachineHost {
  readonly monitor: Monitor
  readonly images: MachineImages
  readonly kernel: ChosenKernel
  /** Path of the disk with the guest program. */
  readonly guestDisk: (signal: AbortSignal) => Promise<string>
  readonly disks: MachineDirectories
  /** No two machines may show the same random numbers. */
  readonly proofs: ReseedProofs
  readonly logger: MachineLogger | undefined
  readonly guestTiming: Pick<GuestOptions, 'helloTimeoutMs' | 'pingIntervalMs' | 'pingTimeoutMs'>
}

/** Of a guest that has opened its wire, on real hardware. */
const helloTimeoutMs = 5_000
const pingTimeoutMs = 15_000

/**
 * Boots one machine. Whatever a step took is given back in reverse when a later one fails, and else
 * when the sandbox is disposed; `undo` may hold what the caller took before.
 */
export async function bootMachine(
  host: MachineHost,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Sandbox> {
  await using steps = undo.move()
  const started = performance.now()
  const { image: imageId } = checkMachineSpec(spec)
  const directory = await host.disks.make(spec.id)
  steps.defer(() => host.disks.remove(spec.id))
  const scratch = join(directory, 'scratch')
  const [image, kernel, guestDisk] = await Promise.all([
    host.images.open(imageId, signal).then((opened) => steps.use(opened)),
    host.kernel(signal),
    host.guestDisk(signal),
    makeScratchDisk(scratch, spec.limits.diskBytes, signal),
  ])
  const plan: MachinePlan = {
    id: spec.id,
    ...sizeOf(spec),
    kernel,
    disks: {
      guest: { path: guestDisk, readOnly: true },
      image: { path: image.path, readOnly: true },
      scratch: { path: scratch, readOnly: false },
    },
    guest: {
      memoryBytes: spec.limits.memoryBytes,
      pids: spec.limits.pids,
      readOnly: spec.filesystem.readOnly,
    },
    forSnapshot: false,
  }
  signal.throwIfAborted()
  const prepared = performance.now()
  const machine = steps.use(await host.monitor.boot(plan, signal))
  const opened = performance.now()
  const { patience } = host.monitor
  const session = await connectGuest(
    machine.wire,
    {
      helloTimeoutMs: helloTimeoutMs * patience,
      pingTimeoutMs: pingTimeoutMs * Math.min(patience, 4),
      ...host.guestTiming,
      user: commandUser,
      machine: { proofs: host.proofs },
      onConnect: spec.onConnect,
      ...(spec.onNotice && { onNotice: spec.onNotice }),
      ...guestNetwork(spec.network, syntheticRange),
      outputLimitBytes: spec.limits.outputBytes,
    },
    signal,
  ).catch((cause: unknown) => whyNot(spec, machine, signal, cause))

  const resources = steps.move()
  return makeMachineSandbox({
    spec,
    session,
    machine,
    env: image.env,
    monitor: host.monitor.description,
    bootPhases: {
      prepare: prepared - started,
      ...machine.phases,
      hello: performance.now() - opened,
    },
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

/** The machine's own last words are better than "no hello". */
async function whyNot(
  spec: SandboxSpec,
  machine: Machine,
  signal: AbortSignal,
  cause: unknown,
): Promise<never> {
  signal.throwIfAborted()
  await machine[Symbol.asyncDispose]()
  const { words } = await machine.ended
  if (words === '') throw cause
  throw new AegisError(
    'unavailable',
    'sandbox.boot',
    `Sandbox ${spec.id} did not come up: ${words}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}
