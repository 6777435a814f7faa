import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  AegisError,
  type Sandbox,
  type SandboxCapabilities,
  type SandboxRuntime,
  type SandboxSpec,
} from '@aegis/core'
import { connectGuest } from '@aegis/sandbox'
import { diagnoseHost } from './diagnose-host.ts'
import { checkHostPaths } from './host-paths.ts'
import { type HostProbe, probeHost } from './host-probe.ts'
import { readHostTree } from './host-tree.ts'
import { findInterpreters } from './interpreters.ts'
import type { LimitBackend } from './limits/limit-group.ts'
import { openLimits } from './limits/open-limits.ts'
import { planMounts } from './mount-plan.ts'
import { makeProcessSandbox } from './process-sandbox.ts'
import { makeReadOnlyWorkspace } from './read-only-workspace.ts'
import { type Box, startBox } from './start-box.ts'
import { claimUsers, defaultUidRange, type UidRange, type UserLeases } from './user-leases.ts'

/** What the runtime tells besides its results; a pino logger fits. */
export interface RuntimeLogger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** A weaker form of a protection that the operator accepts by name. */
export type WeakerForm = 'cgroup'

export interface ProcessRuntimeOptions {
  /** Ours alone; made when missing. Its path names this runtime's cgroups, so it should be stable. */
  readonly stateDirectory: string
  /** The guest program, from `locateGuest`. */
  readonly guestPath: string
  /** The launcher, from `locateLauncher`. */
  readonly launcherPath: string
  /** The Node that agents get as `node`: usually the one that runs AEGIS. */
  readonly nodePath: string
  /** A python3 to use instead of searching for one. */
  readonly pythonPath?: string
  /** Where to look for python3 besides /usr/bin, as in PATH. */
  readonly searchPath?: string
  /** Default `/usr/bin/bwrap`. */
  readonly bwrapPath?: string
  /** Host uids for sandboxes when we are root. */
  readonly uidRange?: UidRange
  /** Group below the cgroup mount points that we may write to. Default `aegis`. */
  readonly cgroupParent?: string
  /** `cgroup`: run without enforced cpu, memory and pids limits where no cgroup can be written. */
  readonly allowWeaker?: readonly WeakerForm[]
  /** Host paths that no sandbox may see, AEGIS_HOME first of all. */
  readonly protectedPaths: readonly string[]
  readonly logger?: RuntimeLogger
  /** How long a guest may take to say hello. Default 10,000. */
  readonly helloTimeoutMs?: number
  /** Pause between two pings to a guest, and how long one may stay unanswered. */
  readonly pingIntervalMs?: number
  readonly pingTimeoutMs?: number
}

/** Opens the namespace sandbox of this host: bubblewrap for isolation, cgroups for limits. */
export async function openProcessRuntime(options: ProcessRuntimeOptions): Promise<SandboxRuntime> {
  const root = process.getuid?.() === 0
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 })
  const stateDirectory = await realpath(options.stateDirectory)
  const bwrapPath = options.bwrapPath ?? '/usr/bin/bwrap'
  const homeTag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const [tree, interpreters, limits, users, guestPath, protectedPaths] = await Promise.all([
    readHostTree(stateDirectory),
    findInterpreters({
      nodePath: options.nodePath,
      pythonPath: options.pythonPath,
      searchPath: options.searchPath,
    }),
    openLimits({
      homeTag,
      cgroupParent: options.cgroupParent,
      launcherPath: options.launcherPath,
    }),
    root ? claimUsers(options.uidRange ?? defaultUidRange) : undefined,
    realpath(options.guestPath),
    Promise.all(options.protectedPaths.map((path) => realpath(path).catch(() => path))),
  ])
  const probe = () => probeAs(users, options.launcherPath, bwrapPath)
  const firstProbe = await probe()
  const launcherNetwork = firstProbe.works && firstProbe.launcherNetwork
  const workspaces = join(stateDirectory, 'workspaces')
  const live = new Map<string, AsyncDisposable | 'booting'>()

  const capabilities: SandboxCapabilities = {
    limits: { ...limits.enforced, disk: true },
    terminal: true,
    languages: interpreters.languages,
    images: false,
  }

  async function boot(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted()
    checkSpec(spec, firstProbe, limits, options.allowWeaker ?? [])
    if (live.has(spec.id))
      throw new AegisError('conflict', 'sandbox.exists', `Sandbox ${spec.id} is already running`)
    live.set(spec.id, 'booting')
    await using undo = new AsyncDisposableStack()
    undo.defer(() => void live.delete(spec.id))
    const started = performance.now()

    await checkHostPaths(spec.filesystem, [stateDirectory, ...protectedPaths])
    const lease = users && undo.use(users.take())
    const workspace = spec.filesystem.readOnly
      ? undo.use(
          await makeReadOnlyWorkspace({
            directory: join(workspaces, spec.id),
            limitBytes: spec.limits.diskBytes,
            uid: lease?.uid,
          }),
        )
      : undefined
    const mounts = planMounts({
      spec,
      tree,
      guestPath,
      interpreters: await interpreters.mountsFor(spec.interpreter.language),
      readOnlyWorkspace: workspace?.directory,
      staged: root,
      launcherNetwork,
    })
    const group = await limits.create(spec.id, spec.limits)
    undo.defer(() => group.remove())
    const prepared = performance.now()

    signal.throwIfAborted()
    const box = startBox({
      ...mounts,
      launcherNetwork,
      launcherPath: options.launcherPath,
      bwrapPath,
      uid: lease?.uid,
      procsFiles: group.procsFiles,
      processLimits: group.processLimits,
    })
    undo.defer(async () => {
      box.wire.destroy()
      await group.kill().catch(() => {})
      box.kill()
      await box.exited
    })
    const spawned = performance.now()

    const session = await connectGuest(
      box.wire,
      {
        onConnect: spec.onConnect,
        ...(spec.onNotice && { onNotice: spec.onNotice }),
        outputLimitBytes: spec.limits.outputBytes,
        ...(options.helloTimeoutMs && { helloTimeoutMs: options.helloTimeoutMs }),
        ...(options.pingIntervalMs && { pingIntervalMs: options.pingIntervalMs }),
        ...(options.pingTimeoutMs && { pingTimeoutMs: options.pingTimeoutMs }),
      },
      signal,
    ).catch((cause: unknown) => whyNot(spec, box, signal, cause))
    const answered = performance.now()

    const resources = undo.move()
    const sandbox = makeProcessSandbox({
      spec,
      session,
      group,
      workspace,
      bootPhases: {
        prepare: prepared - started,
        spawn: spawned - prepared,
        hello: answered - spawned,
      },
      release: () => resources.disposeAsync(),
    })
    live.set(spec.id, sandbox)
    return sandbox
  }

  return {
    isolation: 'process',
    capabilities,
    boot,
    async sweep(signal) {
      signal.throwIfAborted()
      const removed = [...(await limits.sweep(new Set(live.keys())))]
      for (const name of await readdir(workspaces).catch(() => [])) {
        if (live.has(name)) continue
        await rm(join(workspaces, name), { recursive: true, force: true })
        removed.push(`workspace ${join(workspaces, name)}`)
      }
      return { removed }
    },
    async diagnose(signal) {
      signal.throwIfAborted()
      const weaker = options.allowWeaker ?? []
      return diagnoseHost({ probe: await probe(), limits, weaker, interpreters, users })
    },
    async [Symbol.asyncDispose]() {
      const open = [...live.values()].filter((entry) => entry !== 'booting')
      await Promise.all(open.map((sandbox) => sandbox[Symbol.asyncDispose]()))
      await limits.close()
      await users?.[Symbol.asyncDispose]()
    },
  }
}

async function probeAs(
  users: UserLeases | undefined,
  launcherPath: string,
  bwrapPath: string,
): Promise<HostProbe> {
  using lease = users?.take()
  return probeHost({ launcherPath, bwrapPath, uid: lease?.uid })
}

function checkSpec(
  spec: SandboxSpec,
  probe: HostProbe,
  limits: LimitBackend,
  weaker: readonly WeakerForm[],
): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(spec.id))
    throw new AegisError('invalid', 'sandbox.id', `'${spec.id}' cannot name a sandbox`)
  for (const [name, value] of Object.entries(spec.limits))
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new AegisError(
        'invalid',
        'sandbox.limits',
        `${name} is ${value}, not a whole number above 0`,
      )
  if (!probe.works)
    throw new AegisError(
      'unsupported',
      'sandbox.host',
      `This host cannot make process sandboxes: ${probe.because}. Remedy: ${probe.remedy}`,
    )
  const missing = Object.entries(limits.enforced).flatMap(([name, on]) => (on ? [] : [name]))
  if (missing.length > 0 && !weaker.includes('cgroup'))
    throw new AegisError(
      'unsupported',
      'sandbox.limits',
      `This host does not let us limit ${missing.join(', ')}: ${limits.description}. Remedy: ${limits.remedy}. Or allow sandboxes without these limits by name: allow_weaker: [cgroup]`,
    )
}

/** Says why a box gave no guest. Its own words, when it has ended, are better than "no hello". */
async function whyNot(
  spec: SandboxSpec,
  box: Box,
  signal: AbortSignal,
  cause: unknown,
): Promise<never> {
  signal.throwIfAborted()
  box.wire.destroy()
  // A box that failed ends at once; one that merely keeps silent does not.
  const ending = Promise.all([box.exited, box.complaint])
  const ended = await Promise.race([ending, delay(endingGraceMs)])
  if (ended === undefined) throw cause
  const [outcome, complaint] = ended
  const [, use, path] = /^launch: (read|write) (.*): Permission denied$/.exec(complaint) ?? []
  if (use !== undefined)
    throw new AegisError(
      'denied',
      'filesystem.permission',
      `Sandboxes may not ${use} '${path}': the daemon is root, and they act as the owner of a path, but never as root. Give it to another user (chown), or let everybody ${use} it (chmod)`,
    )
  throw new AegisError(
    'unavailable',
    'sandbox.boot',
    `Sandbox ${spec.id} did not come up: ${complaint || `its process ${outcome}`}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}

const endingGraceMs = 200
