import { copyFile, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { AegisError, type ExecCommand, sandboxId } from '../../core/src/index.ts'
import type { MachinePlan, Monitor } from '../../runtime-firecracker/src/index.ts'
import { makeScratchDisk } from '../../runtime-firecracker/src/scratch-disk.ts'
import { connectGuest, type GuestSession, makeReseedProofs } from '../../sandbox/src/index.ts'
import type { QuietGuest } from '../../sandbox/src/machine-guest.ts'
import type { LabReport } from './report.ts'

const never = new AbortController().signal

/** What of a machine is the same for every monitor. */
export interface LabParts {
  readonly directory: string
  readonly kernel: MachinePlan['kernel']
  readonly guestDisk: string
  readonly imageDisk: string
}

/** The contract of a monitor, on machines that really run. */
export async function checkMonitor(
  report: LabReport,
  parts: LabParts,
  open: () => Promise<Monitor>,
): Promise<void> {
  const monitor = await report.step('opens', open, ({ description }) => description)
  if (monitor === undefined) return
  try {
    await checkBoot(report, parts, monitor)
    await checkSnapshot(report, parts, monitor)
    await report.step('left nothing behind', async () => {
      const left = await monitor.sweep(new Set())
      if (left.length > 0) throw new Error(left.join(', '))
    })
  } finally {
    await monitor[Symbol.asyncDispose]()
  }
}

async function checkBoot(report: LabReport, parts: LabParts, monitor: Monitor): Promise<void> {
  const plan = await planOf(parts, `${monitor.name}-boot`, false)
  const machine = await report.step(
    'boots',
    () => monitor.boot(plan, never),
    ({ phases }) =>
      JSON.stringify(phases, (_, value) => (typeof value === 'number' ? Math.round(value) : value)),
  )
  if (machine === undefined) return
  try {
    const session = await report.step('the guest says hello', () => greet(machine.wire, monitor))
    if (session === undefined) return
    await report.step('runs python3', () => run(session, ['python3', '-c', 'print(6*7)']), String)
    await report.step('runs it again', () => run(session, ['python3', '-c', 'print(6*7)']), String)
    await report.step(
      'knows its memory',
      () => machine.residentBytes(),
      (bytes) => `${Math.round((bytes ?? 0) / (1 << 20))} MiB resident`,
    )
    session.close()
    await report.step(
      'ends with its wire',
      () => machine.ended,
      ({ reason }) => reason,
    )
  } finally {
    await report.step('is disposed', async () => {
      await machine[Symbol.asyncDispose]()
    })
  }
}

async function checkSnapshot(report: LabReport, parts: LabParts, monitor: Monitor): Promise<void> {
  const plan = await planOf(parts, `${monitor.name}-template`, true)
  const directory = join(parts.directory, `${monitor.name}-snapshot`)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const machine = await report.step('boots a template', () => monitor.boot(plan, never))
  if (machine === undefined) return
  const session = await report.step('the template says hello', () => greet(machine.wire, monitor))
  const quiet = session && (await report.step('comes to rest', () => session.quiesce(never)))
  if (quiet === undefined) return void (await machine[Symbol.asyncDispose]())
  const snapshot = await report.step('is asked for a snapshot', () =>
    machine.snapshot(directory, never).catch(ifUnsupported),
  )
  session?.close()
  await machine[Symbol.asyncDispose]()
  if (typeof snapshot === 'string') report.skip('snapshots', snapshot)
  if (typeof snapshot !== 'object') return
  const drawn = new Set<string>()
  for (const name of ['first', 'second']) {
    const clone = await planOf(parts, `${monitor.name}-${name}`, false)
    await copyFile(plan.disks.scratch.path, clone.disks.scratch.path)
    const restored = await report.step(`the ${name} clone dials again`, () =>
      monitor.restore(snapshot, clone, never),
    )
    if (restored === undefined) continue
    await using _ = restored
    const session = await report.step(`the ${name} clone proves its reseed`, () =>
      greet(restored.wire, monitor, quiet),
    )
    if (session === undefined) continue
    const random = await report.step(`the ${name} clone runs python3`, () => run(session, draw))
    if (random !== undefined) drawn.add(random)
    session.close()
    await restored.ended
  }
  await report.step('both clones drew different random numbers', async () => {
    if (drawn.size !== 2) throw new Error(`${drawn.size} different ones`)
  })
  await rm(directory, { recursive: true })
}

/** A monitor that makes none says so, and that is no failure. */
function ifUnsupported(error: unknown): string {
  if (error instanceof AegisError && error.code === 'snapshot.unsupported') return error.message
  throw error
}

const draw = ['python3', '-c', 'import os; print(os.urandom(16).hex())'] as const

async function planOf(parts: LabParts, id: string, forSnapshot: boolean): Promise<MachinePlan> {
  const scratch = join(parts.directory, `${id}.scratch`)
  await rm(scratch, { force: true })
  await makeScratchDisk(scratch, 32 << 20, never)
  return {
    id: sandboxId(id),
    vcpus: 1,
    memoryBytes: 160 << 20,
    kernel: parts.kernel,
    disks: {
      guest: { path: parts.guestDisk, readOnly: true },
      image: { path: parts.imageDisk, readOnly: true },
      scratch: { path: scratch, readOnly: false },
    },
    cpuMillicores: 1000,
    guest: { memoryBytes: 96 << 20, pids: 64, readOnly: false },
    forSnapshot,
  }
}

const proofs = makeReseedProofs()

const greet = (wire: Duplex, monitor: Monitor, restored?: QuietGuest): Promise<GuestSession> =>
  connectGuest(
    wire,
    {
      onConnect: (_, stream) => stream.destroy(),
      outputLimitBytes: 1 << 20,
      helloTimeoutMs: 10_000 * monitor.patience,
      user: { uid: 1000, gid: 1000 },
      machine: { proofs, ...(restored && { restored }) },
    },
    never,
  )

async function run(session: GuestSession, argv: ExecCommand['argv']): Promise<string> {
  const env = { PATH: '/usr/bin:/bin' }
  const process = await session.exec({ argv, env, cwd: '/workspace' }, never)
  process.closeStdin()
  const [out, error, exit] = await Promise.all([
    Array.fromAsync(process.stdout),
    Array.fromAsync(process.stderr),
    process.exit,
  ])
  if (exit.code !== 0) throw new Error(`It ended with ${exit.code}: ${Buffer.concat(error)}`)
  return Buffer.concat(out).toString().trim()
}
