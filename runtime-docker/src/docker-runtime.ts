import { createHash } from 'node:crypto'
import { arch } from 'node:os'
import {
  AegisError,
  type ImageStore,
  type Logger,
  type Sandbox,
  type SandboxCapabilities,
  type SandboxRuntime,
  type SandboxSpec,
} from '@aegis/core'
import { type BootHost, bootContainer } from './container/boot-container.ts'
import {
  missingLimits,
  ordinaryRuntime,
  type SpecRules,
  type WeakerForm,
} from './container/check-docker-spec.ts'
import type { GuestTiming } from './container/greet-guest.ts'
import { guestDirectory, makeGuestVolume } from './container/guest-volume.ts'
import { makeImageReader } from './container/image-facts.ts'
import { makeOwner, ownerLabel } from './container/owner.ts'
import { makeReaper } from './container/reaper.ts'
import { guestMissing } from './container/start-container.ts'
import { makeSweeper } from './container/sweeper.ts'
import { makeTurns } from './container/turns.ts'
import { makeUseMarker } from './container/use-marker.ts'
import { diagnoseAbsence, diagnoseEngine } from './diagnose-engine.ts'
import { makeContainerWatch } from './engine/container-watch.ts'
import type { EngineClient } from './engine/engine-client.ts'
import type { EngineFacts } from './engine/engine-facts.ts'
import { rememberFacts } from './engine/remembered-facts.ts'

export interface DockerRuntimeOptions extends GuestTiming {
  /** Belongs to the runtime from now on. */
  readonly client: EngineClient
  /** Ours alone; made when missing. */
  readonly stateDirectory: string
  /**
   * Names what is ours on the engine: the same at every start, and nobody else's there. Default the
   * state directory, which two that run in containers may both call the same.
   */
  readonly ownerId?: string
  /** The guest program, from `locateGuest`. */
  readonly guestPath: string
  readonly images?: ImageStore
  /** OCI runtime of all containers; absent: the engine's default. */
  readonly ociRuntime?: string
  /** `cgroup`: run also where the engine keeps no limits of cpu, memory and pids. */
  readonly allowWeaker?: readonly WeakerForm[]
  /** Host paths that no sandbox may see: AEGIS_HOME first of all. */
  readonly protectedPaths: readonly string[]
  /** Whether a path means the same to us and to the engine; else none can be lent. */
  readonly hostPathsAreLocal: boolean
  readonly logger?: Logger
  /** Containers that are being started at a time. Default 4. */
  readonly startsAtOnce?: number
}

/** How long an engine may take to say what it is. */
const diagnosisTimeoutMs = 10_000

/**
 * Opens the container sandbox. The engine is not asked before it is needed, so a daemon starts at
 * once, and without one: `diagnose` then says so, and `boot` fails with `unavailable`.
 */
export function openDockerRuntime(options: DockerRuntimeOptions): SandboxRuntime {
  const { client, stateDirectory, guestPath, logger, images } = options
  const tag = createHash('sha256')
    .update(options.ownerId ?? stateDirectory)
    .digest('hex')
    .slice(0, 12)
  const owner = makeOwner(tag)
  const reaper = makeReaper({ client, logger })
  const marker = makeUseMarker(stateDirectory)
  const live = new Map<string, Promise<Sandbox>>()
  const closing = new AbortController()
  const sweeper = makeSweeper({ client, owner, reaper, marker, logger, live })
  const facts = rememberFacts({ client, onContact: () => sweeper.catchUp() })
  const guestVolume = makeGuestVolume({ client, owner, guestPath, reaper })
  const rules: SpecRules = {
    ociRuntime: options.ociRuntime,
    allowWeaker: options.allowWeaker ?? [],
    guestArchitecture: arch(),
  }
  const { helloTimeoutMs, pingIntervalMs, pingTimeoutMs } = options
  const host: BootHost = {
    client,
    facts,
    rules,
    owner,
    images: makeImageReader(client),
    guestVolume,
    reaper,
    watch: makeContainerWatch(client, `${ownerLabel}=${tag}`),
    turns: makeTurns(options.startsAtOnce ?? 4),
    protectedPaths: [
      stateDirectory,
      guestDirectory,
      ...(client.endpoint.kind === 'unix' ? [client.endpoint.socketPath] : []),
      ...options.protectedPaths,
    ],
    hostPathsAreLocal: options.hostPathsAreLocal,
    logger,
    guestTiming: {
      ...(helloTimeoutMs !== undefined && { helloTimeoutMs }),
      ...(pingIntervalMs !== undefined && { pingIntervalMs }),
      ...(pingTimeoutMs !== undefined && { pingTimeoutMs }),
    },
  }

  const bootLive = async (spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> => {
    await using undo = new AsyncDisposableStack()
    undo.defer(() => void live.delete(spec.id))
    await marker.set()
    return await bootContainer(host, spec, undo, signal).catch(async (error: unknown) => {
      const image = spec.interpreter.image ?? ''
      if (!(error instanceof AegisError) || error.code !== guestMissing) throw error
      if (!(await guestVolume.restore(image, signal))) throw error
      return bootContainer(host, spec, undo, signal)
    })
  }

  return {
    isolation: 'docker',
    ...(images && { images }),
    async capabilities(signal) {
      signal.throwIfAborted()
      return capabilitiesOf(await facts.recent(signal), rules)
    },
    async boot(spec, signal) {
      signal.throwIfAborted()
      closing.signal.throwIfAborted()
      if (live.has(spec.id))
        throw new AegisError('conflict', 'sandbox.exists', `Sandbox ${spec.id} is already running`)
      const booting = bootLive(spec, AbortSignal.any([signal, closing.signal]))
      live.set(spec.id, booting)
      return booting
    },
    sweep: (signal) => sweeper.sweep(signal),
    async diagnose(signal) {
      signal.throwIfAborted()
      try {
        const answered = AbortSignal.any([signal, AbortSignal.timeout(diagnosisTimeoutMs)])
        return diagnoseEngine(await facts.fresh(answered), client.endpoint, rules)
      } catch (error) {
        signal.throwIfAborted()
        return diagnoseAbsence(error)
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(closed())
      const booted = await Promise.allSettled(live.values())
      await Promise.all(
        booted.map((boot) => boot.status === 'fulfilled' && boot.value[Symbol.asyncDispose]()),
      )
      // What still uses the guest's volume keeps it, and the marker; the next sweep removes both.
      if (await reaper.settle()) {
        await guestVolume[Symbol.asyncDispose]()
        if (await reaper.settle()) await sweeper.settle()
      }
      await reaper[Symbol.asyncDispose]()
      host.watch[Symbol.dispose]()
      client[Symbol.dispose]()
    },
  }
}

const closed = (): AegisError =>
  new AegisError('unavailable', 'runtime.closed', 'This node no longer makes containers: it ends')

function capabilitiesOf(facts: EngineFacts, rules: SpecRules): SandboxCapabilities {
  const missing = missingLimits(facts, ordinaryRuntime(facts, rules.ociRuntime))
  const kept = (name: string) => !missing.includes(name)
  return {
    limits: { cpu: kept('cpu'), memory: kept('memory'), pids: kept('pids'), disk: true },
    terminal: true,
    languages: ['python', 'javascript', 'none'],
    images: true,
    applicationKernels: facts.runtimes.some(({ gvisor }) => gvisor) ? ['gvisor'] : [],
    gpus: facts.gpus !== undefined,
    lendsByName: true,
    capturesAddresses: false,
  }
}
