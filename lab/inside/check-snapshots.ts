import { open as openFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  agentId,
  type SandboxProcess,
  type SandboxRuntime,
  type SandboxSnapshots,
  type SandboxSpec,
  type SnapshotSubject,
  sandboxId,
} from '../../core/src/index.ts'
import {
  type Monitor,
  openFirecrackerRuntime,
  openSnapshotStore,
} from '../../runtime-firecracker/src/index.ts'
import type { LabParts } from './check-monitor.ts'
import type { LabReport } from './report.ts'

const never = new AbortController().signal

/** An interpreter that waits, and says something only this machine could. */
const program = 'import os; task = input(); print(task, os.urandom(16).hex(), flush=True)'
const subject: SnapshotSubject = {
  agentId: agentId('lab'),
  agentRevision: 1,
  files: [{ path: '/workspace/agent.py', content: Buffer.from(program) }],
  command: {
    argv: ['python3', '/workspace/agent.py'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/workspace',
  },
}

/** What the pool does with snapshots, on machines that really run. */
export async function checkSnapshots(
  report: LabReport,
  parts: LabParts,
  open: () => Promise<Monitor>,
): Promise<void> {
  const monitor = await report.step('opens', open)
  if (monitor === undefined) return
  const directory = join(parts.directory, `${monitor.name}-runtime`)
  await using runtime = runtimeOf(monitor, parts, directory)
  const { snapshots } = runtime
  if (snapshots === undefined) return
  const cold = await report.step('boots, starts python3 and hears from it', () => boot(runtime))
  if (cold === undefined) return
  const kept = await report.step('keeps a snapshot with a python3 that waits', () =>
    keep(snapshots),
  )
  if (kept === undefined) return
  const drawn = new Set([cold.random])
  for (const which of ['first', 'second', 'third'])
    await report.step(
      `the ${which} one out of it answers`,
      async () => {
        const { random, ms } = await restore(snapshots)
        drawn.add(random)
        return ms
      },
      (ms) => `${(ms / cold.ms).toFixed(2)} of the boot`,
    )
  await report.step('all drew different random numbers', async () => {
    if (drawn.size !== 4) throw new Error(`${drawn.size} different ones`)
  })
  await report.step('is refused when a bit is another', () => refuse(snapshots, directory))
  await report.step('left nothing behind', async () => {
    const left = [
      ...(await runtime.sweep(never)).removed,
      ...(await readdir(join(directory, 'snapshots'))),
    ]
    if (left.length > 0) throw new Error(left.join(', '))
  })
}

function runtimeOf(monitor: Monitor, parts: LabParts, directory: string): SandboxRuntime {
  return openFirecrackerRuntime({
    stateDirectory: directory,
    guestPath: '/lab/guest',
    monitor,
    kernel: async () => parts.kernel,
    machineImages: {
      open: async () => ({
        path: parts.imageDisk,
        fileSystem: 'erofs',
        env: {},
        async [Symbol.asyncDispose]() {},
      }),
    },
    snapshots: openSnapshotStore({
      directory: join(directory, 'snapshots'),
      key: async () => new Uint8Array(32).fill(7),
      most: 4,
    }),
  })
}

let sandboxes = 0
const spec = (): SandboxSpec => ({
  id: sandboxId(`lab-${++sandboxes}`),
  interpreter: { language: 'python', version: '3.11', image: 'lab' },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: 96 << 20,
    diskBytes: 32 << 20,
    pids: 64,
    outputBytes: 1 << 20,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_, stream) => stream.destroy(),
})

interface Answer {
  readonly random: string
  /** From the wish for a machine to its first output. */
  readonly ms: number
}

async function boot(runtime: SandboxRuntime): Promise<Answer> {
  const started = performance.now()
  await using sandbox = await runtime.boot(spec(), never)
  await sandbox.writeFiles(subject.files, never)
  const random = await answer(await sandbox.exec(subject.command, never))
  return { random, ms: performance.now() - started }
}

async function keep(snapshots: SandboxSnapshots): Promise<true> {
  await using template = await snapshots.bootTemplate(spec(), never)
  await template.writeFiles(subject.files, never)
  await template.exec(subject.command, never)
  await template.keep(subject, never)
  return true
}

async function restore(snapshots: SandboxSnapshots): Promise<Answer> {
  const started = performance.now()
  const restored = await snapshots.restore(subject, spec(), never)
  if (restored === undefined) throw new Error('Nothing was kept')
  await using _ = restored.sandbox
  const random = await answer(restored.standby)
  return { random, ms: performance.now() - started }
}

async function answer(process: SandboxProcess): Promise<string> {
  await process.writeStdin(Buffer.from('task\n'))
  for await (const chunk of process.stdout) {
    const [, random] = /^task ([0-9a-f]{32})\n$/.exec(Buffer.from(chunk).toString()) ?? []
    if (random !== undefined) return random
  }
  throw new Error('It said something else')
}

async function refuse(snapshots: SandboxSnapshots, directory: string): Promise<void> {
  {
    await using memory = await openFile(join(directory, 'snapshots', 'lab.1', 'memory'), 'r+')
    await memory.write(Buffer.from('!'), 0, 1, 32 << 20)
  }
  const outcome = await snapshots.restore(subject, spec(), never).then(
    () => 'It was restored',
    (error: { code?: string }) => error.code,
  )
  if (outcome !== 'snapshot.altered') throw new Error(outcome)
}
