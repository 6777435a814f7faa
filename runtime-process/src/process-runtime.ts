import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError, type Sandbox, type SandboxRuntime, type SandboxSpec } from '@aegis/core'
import { claimUsers, defaultUidRange, openLimits, type UidRange } from '@aegis/sandbox'
import { type BootHost, bootSandbox } from './boot-sandbox.ts'
import { checkSpec, type WeakerForm } from './check-spec.ts'
import { diagnoseHost } from './diagnose-host.ts'
import { probeHost } from './host-probe.ts'
import { readHostTree } from './host-tree.ts'
import { findInterpreters } from './interpreters.ts'
import type { RuntimeLogger } from './process-sandbox.ts'

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
  /** Host uids for sandboxes when we are root. Default 65,536 from 1,900,000,000 on. */
  readonly uidRange?: UidRange
  /** Group below the cgroup mount points that we may write to. Default `aegis`. */
  readonly cgroupParent?: string
  /** `cgroup`: run without enforced cpu, memory and pids limits where no cgroup can be written. */
  readonly allowWeaker?: readonly WeakerForm[]
  /** Host paths that no sandbox may see, AEGIS_HOME first of all. */
  readonly protectedPaths: readonly string[]
  /** Hears of sandboxes that ended for another reason than their owner's wish. */
  readonly logger?: RuntimeLogger
  /** How long a guest may take to say hello. */
  readonly helloTimeoutMs?: number
  /** Pause between two pings to a guest. */
  readonly pingIntervalMs?: number
  /** How long a ping may stay unanswered. */
  readonly pingTimeoutMs?: number
}

/**
 * Opens the namespace sandbox of this host: bubblewrap for isolation, cgroups for limits. A host
 * that lacks something is no failure here: `diagnose` says so, and `boot` refuses.
 * @throws AegisError `exhausted` / `users.exhausted` other daemons use all host uids
 */
export async function openProcessRuntime(options: ProcessRuntimeOptions): Promise<SandboxRuntime> {
  await using opening = new AsyncDisposableStack()
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 })
  const stateDirectory = await realpath(options.stateDirectory)
  const { launcherPath, bwrapPath = '/usr/bin/bwrap', allowWeaker = [] } = options
  const users =
    process.getuid?.() === 0 ? await claimUsers(options.uidRange ?? defaultUidRange) : undefined
  if (users) opening.use(users)
  const homeTag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const limits = await openLimits({ homeTag, cgroupParent: options.cgroupParent, launcherPath })
  opening.defer(() => limits.close())
  const probe = async () => {
    using lease = users?.take()
    return probeHost({ launcherPath, bwrapPath, uid: lease?.uid })
  }
  const [tree, interpreters, guestPath, protectedPaths, firstProbe] = await Promise.all([
    readHostTree(stateDirectory),
    findInterpreters(options),
    realpath(options.guestPath),
    Promise.all(options.protectedPaths.map((path) => realpath(path).catch(() => path))),
    probe(),
  ])
  const workspaces = join(stateDirectory, 'workspaces')
  const { helloTimeoutMs, pingIntervalMs, pingTimeoutMs } = options
  const host: BootHost = {
    launcherPath,
    bwrapPath,
    guestPath,
    workspaces,
    protectedPaths: [stateDirectory, ...protectedPaths],
    tree,
    interpreters,
    limits,
    users,
    logger: options.logger,
    launcherNetwork: firstProbe.works && firstProbe.launcherNetwork,
    guestTiming: {
      ...(helloTimeoutMs !== undefined && { helloTimeoutMs }),
      ...(pingIntervalMs !== undefined && { pingIntervalMs }),
      ...(pingTimeoutMs !== undefined && { pingTimeoutMs }),
    },
  }

  const live = new Map<string, Promise<Sandbox>>()
  const closing = new AbortController()
  const resources = opening.move()
  const bootLive = (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> => {
    const undo = new AsyncDisposableStack()
    undo.defer(() => void live.delete(spec.id))
    return bootSandbox(host, spec, undo, signal)
  }

  return {
    isolation: 'process',
    capabilities: async () => ({
      limits: { ...limits.enforced, disk: true },
      terminal: true,
      languages: interpreters.languages,
      images: false,
      applicationKernels: [],
      gpus: false,
      lendsByName: false,
      capturesAddresses: host.launcherNetwork,
    }),
    async boot(spec, signal) {
      signal.throwIfAborted()
      closing.signal.throwIfAborted()
      checkSpec(spec, firstProbe, limits, allowWeaker)
      if (live.has(spec.id))
        throw new AegisError('conflict', 'sandbox.exists', `Sandbox ${spec.id} is already running`)
      const booting = bootLive(spec, AbortSignal.any([signal, closing.signal]))
      live.set(spec.id, booting)
      return booting
    },
    async sweep(signal) {
      signal.throwIfAborted()
      const removed = [...(await limits.sweep(live))]
      for (const name of await readdir(workspaces).catch(() => [])) {
        if (live.has(name)) continue
        await rm(join(workspaces, name), { recursive: true, force: true })
        removed.push(`workspace ${join(workspaces, name)}`)
      }
      return { removed }
    },
    async diagnose(signal) {
      signal.throwIfAborted()
      return diagnoseHost({
        probe: await probe(),
        limits,
        weaker: allowWeaker,
        interpreters,
        users,
      })
    },
    async [Symbol.asyncDispose]() {
      closing.abort(closed())
      const booted = await Promise.allSettled(live.values())
      await Promise.all(
        booted.map((boot) => boot.status === 'fulfilled' && boot.value[Symbol.asyncDispose]()),
      )
      await resources.disposeAsync()
    },
  }
}

const closed = (): AegisError =>
  new AegisError('unavailable', 'runtime.closed', 'The runtime is closed: AEGIS is stopping')
