import { type ChildProcess, spawn } from 'node:child_process'
import { Duplex, type Readable } from 'node:stream'
import { AegisError } from '@aegis/core'
import type { ProcessLimit } from './limits/limit-group.ts'

/** One path for the launcher: our own as it is, or what its owner lends to the sandbox. */
export interface Stage {
  readonly path: string
  readonly use: 'stage' | 'lend-read' | 'lend-write'
}

export interface BoxPlan {
  readonly launcherPath: string
  readonly bwrapPath: string
  /** Whether the launcher makes the network namespace. */
  readonly launcherNetwork: boolean
  /** Host user to become, for a daemon that is root. */
  readonly uid: number | undefined
  readonly procsFiles: readonly string[]
  readonly processLimits: readonly ProcessLimit[]
  readonly stages: readonly Stage[]
  readonly bwrap: readonly string[]
}

/** The processes of one sandbox, as seen from their parent. */
export interface Box {
  /** The guest's stdin and stdout. */
  readonly wire: Duplex
  /** Resolves when the outermost process was reaped; never rejects. */
  readonly exited: Promise<string>
  /** What launcher, bubblewrap and guest said on stderr, once all of them closed it. */
  readonly complaint: Promise<string>
  kill(): void
}

/**
 * Starts launcher, bubblewrap and guest, each replacing or parenting the next.
 * @throws AegisError `unavailable` / `sandbox.spawn` the launcher cannot be started
 */
export function startBox(plan: BoxPlan): Box {
  const child = spawn(plan.launcherPath, launcherArguments(plan), {
    cwd: '/',
    env: {},
    // A session of its own: a Ctrl-C meant for the daemon is not the sandbox's.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  // Heard before anything is thrown: an 'error' that nobody hears ends the daemon.
  const exited = exitOf(child)
  // Out of file descriptors, Node gives no pipes at all.
  const wire = child.stdio?.[3]
  if (!(wire instanceof Duplex) || child.stderr === null) throw noDescriptors()
  // Whoever reads the wire hears of its end; an error before that is told by `exited`.
  wire.on('error', () => {})
  return {
    wire,
    exited,
    complaint: keepStart(child.stderr),
    kill: () => void child.kill('SIGKILL'),
  }
}

/** Runs nothing in a limit group. Undefined when that worked, else what was said. */
export async function tryLauncher(
  plan: Pick<BoxPlan, 'launcherPath' | 'procsFiles' | 'processLimits'>,
): Promise<string | undefined> {
  return tryBox({
    ...plan,
    launcherNetwork: false,
    uid: undefined,
    stages: [],
    bwrapPath: '/bin/true',
    bwrap: [],
  })
}

/** Runs a box to its end. Undefined when that was a good one, else what was said. */
export async function tryBox(plan: BoxPlan): Promise<string | undefined> {
  const box = startBox(plan)
  const outcome = await box.exited
  box.wire.destroy()
  return outcome === 'exited with 0' ? undefined : (await box.complaint) || outcome
}

const complaintBytes = 4096

function launcherArguments(plan: BoxPlan): string[] {
  return [
    ...plan.procsFiles.flatMap((file) => ['--cgroup', file]),
    ...(plan.launcherNetwork ? ['--network'] : []),
    ...(plan.uid === undefined ? [] : ['--user', `${plan.uid}`, `${plan.uid}`]),
    ...plan.stages.flatMap(({ path, use }) => [`--${use}`, path]),
    ...[{ name: 'nofile', value: 65_536 }, ...plan.processLimits].flatMap(({ name, value }) => [
      '--limit',
      name,
      `${value}`,
    ]),
    '--',
    plan.bwrapPath,
    ...plan.bwrap,
  ]
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `exited with ${code}` : `was ended by ${signal}`),
    )
  })
}

/** Reads all so that the writer never blocks, keeps the start, and disarms control characters. */
function keepStart(stream: Readable): Promise<string> {
  const kept: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, complaintBytes - bytes)
    bytes += part.length
    if (part.length > 0) kept.push(part)
  })
  stream.on('error', () => {})
  return new Promise((resolve) => {
    stream.once('close', () => {
      const text = Buffer.concat(kept).toString('utf8')
      resolve(text.replace(/[^\n\x20-\x7e]/g, '?').trim())
    })
  })
}

const noDescriptors = (): AegisError =>
  new AegisError(
    'unavailable',
    'sandbox.spawn',
    'The sandbox launcher could not be started: the daemon has no file descriptors left. Run fewer sandboxes at once, or raise its limit (ulimit -n)',
  )
