import { open, readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { AegisError, type SandboxLimits } from '@aegis/core'
import {
  abortable,
  type Box,
  type LimitBackend,
  type LimitGroup,
  startBox,
  type UserLeases,
} from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import { vsockPort } from '../guest/guest-arguments.ts'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Machine, MachineEnd, MachineSnapshot } from '../machine/monitor.ts'
import { residentBytesOf } from '../machine/resident-bytes.ts'
import { openCallSocket } from '../qemu/call-socket.ts'
import { type ApiClient, openApiClient } from './api-client.ts'
import {
  inJail,
  type MachineRequests,
  machineRequests,
  restoreRequest,
  sinkRequests,
} from './configure-machine.ts'
import type { Jail, Jails } from './jail.ts'
import { apiSocket, jailerArguments } from './jailer-arguments.ts'
import { jailerGroup } from './jailer-group.ts'
import { watchOver } from './overwatch.ts'
import { keepEnd, openSinks } from './sink.ts'
import type { StartGate } from './start-gate.ts'
import { takeSnapshot } from './take-snapshot.ts'
import { violations } from './vmm-metrics.ts'

/** What the machines of one monitor share. */
export interface FirecrackerHost {
  readonly launcherPath: string
  readonly firecrackerPath: string
  readonly jailerPath: string
  readonly version: string
  readonly chrootBase: string
  readonly jails: Jails
  readonly limits: LimitBackend
  readonly users: UserLeases
  readonly gate: StartGate
  readonly patience: number
  readonly overwatch: { readonly everyMs: number; readonly misses: number }
}

/** Times on real hardware; all else is this times the patience. */
const monitorTimeoutMs = 5_000
const callTimeoutMs = 3_000
const kernelTimeoutMs = 5_000

/** What Firecracker needs besides the guest's memory, its copy of itself included. */
const monitorBytes = 64 << 20

/** Of what a monitor said last. */
const wordsBytes = 16 << 10

/**
 * Starts Firecracker in a jail, makes or restores the machine, and waits until the guest has opened
 * the wire. Whatever a step took is given back in reverse when a later one fails, and else when the
 * machine is disposed.
 */
export async function startMachine(
  host: FirecrackerHost,
  plan: MachinePlan,
  from: MachineSnapshot | undefined,
  signal: AbortSignal,
): Promise<Machine> {
  await using steps = new AsyncDisposableStack()
  const started = performance.now()
  const turn = steps.use(await host.gate.enter(signal))
  const { uid } = steps.use(host.users.take())
  const jail = steps.use(await host.jails.make(plan.id, uid))
  await fill(jail, plan, from)
  // Before anything runs in it, the path cannot lead elsewhere; it may be longer than a socket's.
  const root = await open(jail.root)
  steps.defer(() => root.close())
  const calls = steps.use(await openCallSocket(jail.root, `${inJail.vsock}_${vsockPort}`, uid))
  const { sinks } = steps.use(await openSinks(jail.root, ['log', 'metrics'], uid, wordsBytes))
  const limits = limitsOf(plan)
  const group = await host.limits.create(plan.id, limits)
  steps.defer(() => group.remove())
  signal.throwIfAborted()

  const jailed = startJailer(host, plan, uid, group, {
    fileBytes: await largestFile(plan),
    group: jailerGroup(group.procsFiles, limits, await readFile('/proc/mounts', 'utf8')),
  })
  const { box, kill, gone } = jailed
  steps.defer(kill)
  const console = keepEnd(box.wire, wordsBytes)
  const alive = AbortSignal.any([signal, gone.signal])
  const api = steps.use(openApiClient(`/proc/self/fd/${root.fd}${apiSocket}`))
  const words = async () =>
    disarm(
      `${sinks.log.text()} ${console.text()} ${await box.complaint} ${violations(sinks.metrics.text())}`,
    )
  const whyNot = async (cause: unknown): Promise<never> => {
    signal.throwIfAborted()
    const refusal = cause instanceof AegisError ? cause.message : ''
    await kill()
    throw notUp(plan, `${refusal} ${await words()}`.trim() || messageOf(cause), cause)
  }

  const send = (requests: readonly MachineRequests[]) =>
    sendAll(api, requests, alive, callTimeoutMs * host.patience)
  await whenUp(host, api, alive)
    .then(() => send(sinkRequests))
    .then(() => send(from ? [] : machineRequests(plan)))
    .catch(whyNot)
  turn[Symbol.dispose]()
  const ready = performance.now()
  const start: MachineRequests = from
    ? restoreRequest
    : ['PUT /actions', { action_type: 'InstanceStart' }]
  await send([start]).catch(whyNot)
  const late = AbortSignal.timeout(kernelTimeoutMs * host.patience)
  const wire = await abortable(calls.called, AbortSignal.any([alive, late])).catch(whyNot)
  wire.on('error', () => {})
  steps.defer(() => void wire.destroy())

  const watch = steps.use(
    watchOver((over) => checkUp(api, over, callTimeoutMs * host.patience), host.overwatch),
  )
  let verdict: string | undefined
  void watch.lost.then((because) => {
    verdict = `Firecracker was killed, since it does not answer any more: ${disarm(because)}`
    return kill()
  })
  const ended = box.complaint.then(async (): Promise<MachineEnd> => {
    watch[Symbol.dispose]()
    const { oomKills } = await group.hits().catch(() => ({ oomKills: 0 }))
    return {
      reason: verdict ?? 'The machine ended',
      words: await words(),
      outOfMemory: oomKills > 0,
    }
  })
  const resources = steps.move()
  let released: Promise<void> | undefined
  return {
    wire,
    ended,
    phases: { monitor: ready - started, kernel: performance.now() - ready },
    residentBytes: () => residentBytesOf(group.procsFiles),
    cpuMs: async () => (await group.usage().catch(() => undefined))?.cpuMs,
    async snapshot(directory, cause) {
      // It does not answer others meanwhile; and it cuts the wire, even when it refuses.
      watch[Symbol.dispose]()
      try {
        const both = AbortSignal.any([cause, gone.signal])
        const files = await takeSnapshot(api, jail, directory, host.patience, both)
        return { plan, ...files }
      } finally {
        wire.destroy()
        // From now on, nobody writes to what it wrote.
        await kill()
      }
    },
    [Symbol.asyncDispose]() {
      released ??= resources.disposeAsync()
      return released
    },
  }
}

async function fill(
  jail: Jail,
  { kernel, disks }: MachinePlan,
  from: MachineSnapshot | undefined,
): Promise<void> {
  if (from === undefined) {
    await jail.show(kernel.path, inJail.kernel)
    if (kernel.initramfs !== undefined) await jail.show(kernel.initramfs, inJail.initramfs)
  } else {
    await jail.show(from.statePath, inJail.state)
    await jail.show(from.memoryPath, inJail.memory)
  }
  await jail.show(disks.guest.path, inJail.guest)
  await jail.show(disks.image.path, inJail.image)
  await jail.lend(disks.scratch.path, inJail.scratch)
}

function startJailer(
  host: FirecrackerHost,
  { id }: MachinePlan,
  uid: number,
  limits: LimitGroup,
  rest: Pick<Parameters<typeof jailerArguments>[0], 'fileBytes' | 'group'>,
) {
  const box = startBox({
    ...limits,
    launcherPath: host.launcherPath,
    launcherNetwork: false,
    // The jailer makes devices and changes the root before it becomes the machine's own user.
    uid: undefined,
    stages: [],
    bwrapPath: host.jailerPath,
    bwrap: jailerArguments({ ...host, ...rest, id, uid }),
  })
  const gone = new AbortController()
  // The jailer leaves before Firecracker does: only the end of all that it may say tells of its end.
  void box.complaint.then(() => gone.abort(new Error('Firecracker ended')))
  return {
    box,
    gone,
    async kill() {
      await limits.kill().catch(() => {})
      box.kill()
      await box.complaint
      box.wire.destroy()
    },
  } satisfies { box: Box; gone: AbortController; kill: () => Promise<void> }
}

function limitsOf(plan: MachinePlan): SandboxLimits {
  return {
    cpuMillicores: plan.cpuMillicores,
    memoryBytes: plan.memoryBytes + monitorBytes,
    // Of threads: one for each processor, and a few of its own.
    pids: 16 + plan.vcpus,
    diskBytes: 1,
    outputBytes: 1,
  }
}

/** A snapshot is a little larger than the memory. */
async function largestFile({ disks, memoryBytes }: MachinePlan): Promise<number> {
  const { size } = await stat(disks.scratch.path)
  return Math.max(size, memoryBytes) + (16 << 20)
}

async function whenUp(host: FirecrackerHost, api: ApiClient, alive: AbortSignal): Promise<void> {
  const timeoutMs = monitorTimeoutMs * host.patience
  const signal = AbortSignal.any([alive, AbortSignal.timeout(timeoutMs)])
  // Nobody is told when it begins to listen.
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
    const answer = await api.ask('GET /version', { signal, timeoutMs }).catch(notYet)
    if (answer?.firecracker_version === host.version) return
    if (answer !== undefined) throw otherVersion(host, answer.firecracker_version)
    await delay(waitMs, undefined, { signal })
  }
}

function notYet(error: unknown): undefined {
  const { cause } = error instanceof AegisError ? error : {}
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error
}

async function sendAll(
  api: ApiClient,
  requests: readonly MachineRequests[],
  signal: AbortSignal,
  timeoutMs: number,
): Promise<void> {
  for (const [name, body, id] of requests)
    await api.change(name, body, { signal, timeoutMs, ...(id === undefined ? {} : { id }) })
}

/** Its numbers are written on the way, so that the last ones are at hand when it ends. */
async function checkUp(api: ApiClient, signal: AbortSignal, timeoutMs: number): Promise<void> {
  await api.ask('GET /', { signal, timeoutMs })
  await api.change('PUT /actions', { action_type: 'FlushMetrics' }, { signal, timeoutMs })
}

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause)

const notUp = ({ id }: MachinePlan, because: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'machine.boot',
    `Machine ${id} did not come up: ${because}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )

const otherVersion = (host: FirecrackerHost, answered: string): AegisError =>
  new AegisError(
    'unsupported',
    'firecracker.version',
    `${host.firecrackerPath} is ${disarm(answered, 40)} now and was ${host.version} when the daemon started. Restart the daemon`,
  )
