import {
  AegisError,
  type RestoredSandbox,
  type SandboxSpec,
  type SandboxTemplate,
  type SnapshotSubject,
} from '@aegis/core'
import { type BootedMachine, bootMachine } from './boot-machine.ts'
import type { MachinePlan } from './machine/machine-plan.ts'
import { gatherParts, type MachineHost, openSession, sandboxOf } from './machine-host.ts'
import { packScratch, unpackScratch } from './snapshots/scratch-archive.ts'
import { digestContents, type SnapshotFacts } from './snapshots/snapshot-record.ts'
import type { KeptSnapshot, SnapshotStore } from './snapshots/snapshot-store.ts'

/** A machine host that makes snapshots. */
export type SnapshotHost = MachineHost & { readonly snapshots: SnapshotStore }

/**
 * A clock that jumps by more than an hour has OpenSSL, and whatever else is careful, draw its random numbers
 * anew: so in a template it is yesterday.
 */
const templateAgeMs = 24 * 3_600_000

/** Boots a machine whose memory can be kept, in which it is yesterday. */
export async function bootTemplate(
  host: SnapshotHost,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<SandboxTemplate> {
  const options = { forSnapshot: true, now: () => Date.now() - templateAgeMs }
  const booted = await bootMachine(host, spec, options, undo, signal)
  return { ...booted.sandbox, keep: (subject, cause) => keep(host, booted, subject, cause) }
}

async function keep(
  host: SnapshotHost,
  { sandbox, session, machine, plan }: BootedMachine,
  subject: SnapshotSubject,
  signal: AbortSignal,
): Promise<void> {
  const guest = await session.quiesce(signal)
  if (guest.standby === undefined) throw nobodyWaits()
  // Whatever comes of it, the machine does not go on.
  sandbox.retire()
  await using workshop = await host.snapshots.workshop()
  await machine.snapshot(workshop.directory, signal)
  await packScratch(plan.disks.scratch.path, `${workshop.directory}/scratch.tar`, signal)
  const { agentId, agentRevision } = subject
  const about = { agentId, agentRevision, facts: factsOf(host, plan, subject), guest }
  await host.snapshots.add(workshop.directory, about, signal).catch((cause: unknown) => {
    signal.throwIfAborted()
    throw cause instanceof AegisError ? cause : notKept(cause)
  })
}

const notKept = (cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'snapshot.failed',
    `No snapshot was kept: ${cause instanceof Error ? cause.message : cause}. See that the disk of AEGIS_HOME has room`,
    { cause },
  )

/**
 * Brings up a machine where another one was left; undefined when nothing is kept. What fails otherwise than
 * for want of room is not tried again.
 */
export async function restoreMachine(
  host: SnapshotHost,
  subject: SnapshotSubject,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<RestoredSandbox | undefined> {
  await using steps = undo.move()
  if (!(await host.snapshots.has(subject))) return undefined
  const started = performance.now()
  const parts = await gatherParts(host, spec, false, async () => {}, steps, signal)
  const facts = factsOf(host, parts.plan, subject)
  await using kept = await host.snapshots.open(subject, facts, signal)
  if (kept === undefined) return undefined
  try {
    return await wake(host, spec, { ...parts, kept, started }, steps, signal)
  } catch (error) {
    signal.throwIfAborted()
    const isFull = error instanceof AegisError && error.kind === 'exhausted'
    if (!isFull) await host.snapshots.remove(subject)
    throw error
  }
}

interface Waking extends Awaited<ReturnType<typeof gatherParts>> {
  readonly kept: KeptSnapshot
  /** On the clock of `performance`. */
  readonly started: number
}

async function wake(
  host: SnapshotHost,
  spec: SandboxSpec,
  { image, plan, kept, started }: Waking,
  steps: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<RestoredSandbox> {
  const { guest, statePath, memoryPath } = kept
  await unpackScratch(kept.archivePath, plan.disks.scratch.path, signal)
  const prepared = performance.now()
  const from = { plan, statePath, memoryPath }
  const machine = steps.use(await host.monitor.restore(from, plan, signal))
  const opened = performance.now()
  const session = await openSession(host, spec, machine, { restored: guest }, signal)
  const { standby } = session
  if (standby === undefined) throw nobodyWaits()
  const phases = { prepare: prepared - started, hello: performance.now() - opened }
  const sandbox = sandboxOf(host, spec, { image, machine, session, phases }, steps)
  return { sandbox, standby: sandbox.adopt(standby) }
}

/** All that has to be the same as on the day on which the snapshot was made. */
function factsOf(host: MachineHost, plan: MachinePlan, subject: SnapshotSubject): SnapshotFacts {
  const { kernel, disks, vcpus, memoryBytes, guest } = plan
  return {
    monitor: host.monitor.snapshotClass,
    kernel: kernel.digest,
    guest: disks.guest.path,
    image: disks.image.path,
    machine: JSON.stringify({ vcpus, bytes: memoryBytes, ...guest }),
    contents: digestContents(subject),
  }
}

const nobodyWaits = (): AegisError =>
  new AegisError('conflict', 'snapshot.standby', 'Nothing waits in the machine for its task')
