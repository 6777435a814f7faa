import { chown } from 'node:fs/promises'
import { AegisError, type SandboxLimits } from '@aegis/core'
import { abortable, type Box, type LimitBackend, startBox, type UserLeases } from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import type { MachineDirectories } from '../machine/machine-directories.ts'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Machine, MachineEnd } from '../machine/monitor.ts'
import { residentBytesOf } from '../machine/resident-bytes.ts'
import { openCallSocket } from './call-socket.ts'
import { makeKvmDevice } from './kvm-device.ts'
import { planQemuBox, type QemuSystem } from './qemu-box.ts'
import { codeCacheMiB, consoleBytes, qemuArguments } from './qemu-command.ts'
import { makeQmpClient, type QmpClient } from './qmp-client.ts'

/** What the machines of one monitor share. */
export interface QemuHost {
  readonly launcherPath: string
  readonly bwrapPath: string
  readonly qemuPath: string
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

/** What QEMU itself needs, besides the guest's memory and the code that it translates. */
const monitorBytes = 96 << 20

/**
 * Starts QEMU in its box and waits until the guest has opened the wire. Whatever a step took is given
 * back in reverse when a later one fails, and else when the machine is disposed.
 */
export async function bootQemu(
  host: QemuHost,
  plan: MachinePlan,
  signal: AbortSignal,
): Promise<Machine> {
  await using steps = new AsyncDisposableStack()
  const started = performance.now()
  const lease = host.users && steps.use(host.users.take())
  const directory = await host.directories.make(plan.id)
  steps.defer(() => host.directories.remove(plan.id))
  if (lease) await chown(plan.disks.scratch.path, lease.uid, lease.uid)
  const calls = steps.use(await openCallSocket(directory, 'qmp', lease?.uid))
  const kvm = host.acceleration === 'kvm' && {
    kvmPath: await makeKvmDevice(directory, lease?.uid),
  }
  const group = await host.limits.create(plan.id, limitsOf(host, plan))
  steps.defer(() => group.remove())
  signal.throwIfAborted()

  const box = startBox({
    ...host,
    ...group,
    launcherNetwork: false,
    uid: lease?.uid,
    ...planQemuBox({
      plan,
      system: host.system,
      qemuPath: host.qemuPath,
      arguments: qemuArguments({ ...host, ...plan }),
      qmpPath: calls.path,
      staged: lease !== undefined,
      ...kvm,
    }),
  })
  const kill = async () => {
    await group.kill().catch(() => {})
    box.kill()
  }
  steps.defer(async () => {
    box.wire.destroy()
    await kill()
    await box.exited
  })
  // Bubblewrap may be killed before it has seen to it that QEMU dies with it.
  void box.exited.then(kill)

  const words = { console: '' }
  let qmp: QmpClient | undefined
  const whyNot = async (cause: unknown): Promise<never> => {
    signal.throwIfAborted()
    if (qmp !== undefined && words.console === '') words.console = await readConsole(qmp)
    await kill()
    throw await notBooted(plan, box, words.console, cause)
  }
  const ended = box.exited.then(() => {
    throw new Error('QEMU ended')
  })
  ended.catch(() => {})

  qmp = await within(Promise.race([calls.called, ended]), host, monitorTimeoutMs, signal).then(
    (socket) => makeQmpClient(socket, commandTimeoutMs * host.patience),
    whyNot,
  )
  steps.use(qmp)
  const opened = wireOpened(qmp)
  const stopped = guestStopped(qmp, words).then(kill)
  await within(Promise.race([qmp.ready, ended]), host, monitorTimeoutMs, signal).catch(whyNot)
  const ready = performance.now()
  const over = Promise.race([ended, stopped.then(() => ended)])
  await within(Promise.race([opened, over]), host, kernelTimeoutMs, signal).catch(whyNot)

  const end = box.exited.then(async (reason): Promise<MachineEnd> => {
    const { oomKills } = await group.hits().catch(() => ({ oomKills: 0 }))
    return {
      reason: words.console === '' ? `QEMU ${reason}` : 'The guest ended',
      words: disarm(`${words.console} ${await box.complaint}`),
      outOfMemory: oomKills > 0,
    }
  })
  const resources = steps.move()
  let released: Promise<void> | undefined
  return {
    wire: box.wire,
    ended: end,
    phases: { monitor: ready - started, kernel: performance.now() - ready },
    residentBytes: () => residentBytesOf(group.procsFiles),
    cpuMs: async () => (await group.usage().catch(() => undefined))?.cpuMs,
    snapshot: () => Promise.reject(noSnapshots()),
    [Symbol.asyncDispose]() {
      released ??= resources.disposeAsync()
      return released
    },
  }
}

/**
 * How much of the host an emulated core may use: it does an eighth of the work of a real one, and an
 * agent that is promised a quarter of a core could not even start in time.
 */
const emulatedCores = 4

function limitsOf(host: QemuHost, plan: MachinePlan): SandboxLimits {
  const emulates = host.acceleration === 'tcg'
  const cache = emulates ? codeCacheMiB << 20 : 0
  return {
    cpuMillicores: plan.cpuMillicores * (emulates ? emulatedCores : 1),
    memoryBytes: plan.memoryBytes + monitorBytes + cache,
    // Of threads: QEMU's own, and up to 64 that read and write its disks.
    pids: 128 + plan.vcpus,
    diskBytes: 1,
    outputBytes: 1,
  }
}

/** Resolves when a program in the guest has opened the port. */
function wireOpened(qmp: QmpClient): Promise<void> {
  return new Promise((resolve) =>
    qmp.onEvent((name, data) => {
      if (name !== 'VSERPORT_CHANGE' || typeof data !== 'object' || data === null) return
      if ('open' in data && data.open === true) resolve()
    }),
  )
}

/** A guest that ends stands still; its last words are read before QEMU is killed. */
function guestStopped(qmp: QmpClient, words: { console: string }): Promise<void> {
  return new Promise((resolve) =>
    qmp.onEvent((name) => {
      if (name !== 'SHUTDOWN') return
      void readConsole(qmp).then((text) => {
        words.console = text
        resolve()
      })
    }),
  )
}

async function readConsole(qmp: QmpClient): Promise<string> {
  const answer = await qmp
    .run('ringbuf-read', { device: 'console', size: consoleBytes })
    .catch(() => '')
  return typeof answer === 'string' ? answer : ''
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

async function notBooted(
  plan: MachinePlan,
  box: Box,
  console: string,
  cause: unknown,
): Promise<AegisError> {
  const said = disarm(`${console} ${await box.complaint}`)
  const because = said === '' ? (cause instanceof Error ? cause.message : String(cause)) : said
  return new AegisError(
    'unavailable',
    'machine.boot',
    `Machine ${plan.id} did not come up: ${because}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}

const noSnapshots = (): AegisError =>
  new AegisError('unsupported', 'snapshot.unsupported', 'This machine was not made for a snapshot')
