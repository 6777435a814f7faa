import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import {
  abortable,
  type LimitBackend,
  type LimitGroup,
  startBox,
  type UserLeases,
} from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import type { MachineDirectories } from '../machine/machine-directories.ts'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Machine, MachineEnd, MachineSnapshot } from '../machine/monitor.ts'
import { residentBytesOf } from '../machine/resident-bytes.ts'
import { openCallSocket } from './call-socket.ts'
import { guestStopped, readConsole, wireOpened } from './guest-events.ts'
import { makeKvmDevice } from './kvm-device.ts'
import { loadState } from './machine-state.ts'
import { planQemuBox, type QemuBoxInput, type QemuSystem } from './qemu-box.ts'
import { qemuArguments } from './qemu-command.ts'
import { limitsOf } from './qemu-limits.ts'
import { lendMemory, makeMemory, type QemuMemory } from './qemu-memory.ts'
import { makeQmpClient, type QmpClient } from './qmp-client.ts'
import { takeQemuSnapshot } from './take-qemu-snapshot.ts'
import { startVsockDevice } from './vsock-device.ts'

/** What the machines of one monitor share. */
export interface QemuHost {
  readonly launcherPath: string
  readonly bwrapPath: string
  readonly qemuPath: string
  readonly opensImages: boolean
  /** The program that is the vsock device of a machine. Absent: the wire is a port of a virtio console. */
  readonly vsockPath: string | undefined
  readonly system: QemuSystem
  readonly acceleration: 'kvm' | 'tcg'
  readonly tscKhz: number | undefined
  readonly patience: number
  readonly limits: LimitBackend
  /** Present when we are root. */
  readonly users: UserLeases | undefined
  readonly directories: MachineDirectories
}

/** Times on real hardware; all else is this times the patience. */
const monitorTimeoutMs = 5_000
const kernelTimeoutMs = 5_000
const commandTimeoutMs = 5_000
const stateTimeoutMs = 5_000

/**
 * Starts QEMU in its box, makes or restores the machine, and waits until the guest has opened the
 * wire. Whatever a step took is given back in reverse when a later one fails, and else when the
 * machine is disposed.
 */
export async function startQemu(
  host: QemuHost,
  plan: MachinePlan,
  from: MachineSnapshot | undefined,
  signal: AbortSignal,
): Promise<Machine> {
  if (host.vsockPath !== undefined && (from || plan.forSnapshot)) throw noSnapshotsOfVsock()
  await using steps = new AsyncDisposableStack()
  const started = performance.now()
  const lease = host.users && steps.use(host.users.take())
  const directory = await host.directories.make(plan.id)
  steps.defer(() => host.directories.remove(plan.id))
  if (lease) await chown(plan.disks.scratch.path, lease.uid, lease.uid)
  const calls = steps.use(await openCallSocket(directory, 'qmp', lease?.uid))
  const memory = from
    ? await lendMemory(directory, from, { uid: lease?.uid, ...host }, signal)
    : plan.forSnapshot
      ? await makeMemory(directory, plan, lease?.uid)
      : undefined
  const states =
    memory?.kind === 'file'
      ? steps.use(await openCallSocket(directory, 'state', lease?.uid))
      : undefined
  const ownDirectory =
    from || host.vsockPath !== undefined
      ? await makeOwn(join(directory, 'own'), lease?.uid)
      : undefined
  const kvm = host.acceleration === 'kvm' && {
    kvmPath: await makeKvmDevice(directory, lease?.uid),
  }
  const group = await host.limits.create(plan.id, limitsOf(host, plan))
  steps.defer(() => group.remove())
  signal.throwIfAborted()

  const { vsockPath } = host
  const device =
    ownDirectory !== undefined && vsockPath !== undefined
      ? steps.use(
          await startVsockDevice(
            {
              ...{ ...host, vsockPath, ownDirectory, uid: lease?.uid, group },
              timeoutMs: monitorTimeoutMs * host.patience,
            },
            signal,
          ),
        )
      : undefined
  const { box, kill, gone } = startBoxedQemu(host, plan, group, {
    qmpPath: calls.path,
    uid: lease?.uid,
    memory,
    statePath: states?.path,
    ownDirectory,
    ...kvm,
  })
  steps.defer(async () => {
    box.wire.destroy()
    await kill()
    await box.exited
  })

  // Neither is of use without the other.
  void box.exited.then(() => device?.box.kill())
  void device?.box.exited.then(kill)

  const words = { console: '' }
  const lastWords = async () =>
    disarm(`${words.console} ${await box.complaint} ${(await device?.box.complaint) ?? ''}`)
  let qmp: QmpClient | undefined
  const whyNot = async (cause: unknown): Promise<never> => {
    signal.throwIfAborted()
    if (qmp !== undefined && words.console === '') words.console = await readConsole(qmp)
    await kill()
    throw notBooted(plan, await lastWords(), cause)
  }
  const ended = box.exited.then(() => {
    throw new Error('QEMU ended')
  })
  ended.catch(() => {})

  qmp = await within(Promise.race([calls.called, ended]), host, monitorTimeoutMs, signal).then(
    (socket) => makeQmpClient(socket, commandTimeoutMs * host.patience),
    whyNot,
  )
  const client = steps.use(qmp)
  const opened = device?.called ?? wireOpened(qmp).then(() => box.wire)
  const stopped = guestStopped(qmp, words).then(kill)
  await within(Promise.race([qmp.ready, ended]), host, monitorTimeoutMs, signal).catch(whyNot)
  const ready = performance.now()
  if (from && ownDirectory !== undefined) {
    const late = AbortSignal.timeout(stateTimeoutMs * host.patience)
    await loadState(qmp, ownDirectory, from.statePath, AbortSignal.any([signal, late]))
      .then(() => client.run('cont'))
      .catch(whyNot)
  }
  const over = Promise.race([ended, stopped.then(() => ended)])
  const wire = await within(Promise.race([opened, over]), host, kernelTimeoutMs, signal).catch(
    whyNot,
  )

  const end = box.exited.then(async (reason): Promise<MachineEnd> => {
    const { oomKills } = await group.hits().catch(() => ({ oomKills: 0 }))
    return {
      reason: words.console === '' ? `QEMU ${reason}` : 'The guest ended',
      words: await lastWords(),
      outOfMemory: oomKills > 0,
    }
  })
  const resources = steps.move()
  let released: Promise<void> | undefined
  return {
    wire,
    ended: end,
    phases: { monitor: ready - started, [from ? 'restore' : 'kernel']: performance.now() - ready },
    residentBytes: () => residentBytesOf(group.procsFiles),
    cpuMs: async () => (await group.usage().catch(() => undefined))?.cpuMs,
    async snapshot(directory, signal) {
      if (memory === undefined || states === undefined) throw noSnapshots(plan)
      const timeoutMs = stateTimeoutMs * host.patience
      try {
        const subject = { qmp: client, states, memory, end: gone, timeoutMs }
        return { plan, ...(await takeQemuSnapshot(subject, directory, signal)) }
      } finally {
        // Of no use any more, even where the snapshot failed.
        wire.destroy()
        await gone()
      }
    },
    [Symbol.asyncDispose]() {
      released ??= resources.disposeAsync()
      return released
    },
  }
}

interface QemuParts
  extends Pick<QemuBoxInput, 'qmpPath' | 'statePath' | 'ownDirectory' | 'kvmPath'> {
  readonly uid: number | undefined
  readonly memory: QemuMemory | undefined
}

function startBoxedQemu(
  host: QemuHost,
  plan: MachinePlan,
  group: LimitGroup,
  { uid, memory, ...parts }: QemuParts,
) {
  const box = startBox({
    ...host,
    ...group,
    launcherNetwork: false,
    uid,
    ...planQemuBox({
      ...parts,
      plan,
      system: host.system,
      qemuPath: host.qemuPath,
      arguments: qemuArguments({
        ...host,
        ...plan,
        ...(memory && { memory: memory.kind }),
        wire: host.vsockPath === undefined ? 'port' : 'vsock',
      }),
      memory,
      staged: uid !== undefined,
    }),
  })
  const kill = async () => {
    await group.kill().catch(() => {})
    box.kill()
  }
  // Bubblewrap may be killed before it has seen to it that QEMU dies with it.
  void box.exited.then(kill)
  return {
    box,
    kill,
    /** Kills it, and resolves once nothing of it runs. */
    async gone() {
      await kill()
      await box.complaint
      await group.remove()
    },
  }
}

/** Where QEMU may make its socket. */
async function makeOwn(path: string, uid: number | undefined): Promise<string> {
  await mkdir(path, { mode: 0o700 })
  if (uid !== undefined) await chown(path, uid, uid)
  return path
}

async function within<T>(
  promise: Promise<T>,
  host: QemuHost,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T> {
  const late = AbortSignal.timeout(timeoutMs * host.patience)
  return abortable(promise, AbortSignal.any([signal, late]))
}

function notBooted(plan: MachinePlan, said: string, cause: unknown): AegisError {
  const because = said === '' ? (cause instanceof Error ? cause.message : String(cause)) : said
  return new AegisError(
    'unavailable',
    'machine.boot',
    `Machine ${plan.id} did not come up: ${because}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}

const noSnapshotsOfVsock = (): AegisError =>
  new AegisError(
    'unsupported',
    'snapshot.unsupported',
    'QEMU keeps no machine whose vsock device is another program. Leave out spec.runtime.firecracker.qemu_vsock_path, or set snapshots: 0 beside it',
  )

const noSnapshots = ({ id }: MachinePlan): AegisError =>
  new AegisError(
    'unsupported',
    'snapshot.unsupported',
    `Machine ${id} was not made for a snapshot: its memory is no file`,
  )
