import { existsSync } from 'node:fs'
import { arch } from 'node:os'
import {
  AegisError,
  type Isolation,
  type Logger,
  type NodeConfig,
  type SandboxRuntime,
} from '@aegis/core'
import {
  type DockerImageStore,
  type EngineClient,
  type EngineEndpoint,
  openDockerRuntime,
  openEngineClient,
  openImageStore,
  openRegistryCredentials,
  openRegistryImages,
  type RegistryCredentials,
  type RegistryImages,
  saveImage,
} from '@aegis/runtime-docker'
import { type ImageSource, openMachineImages } from '@aegis/runtime-firecracker'
import { openProcessRuntime } from '@aegis/runtime-process'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { absentRuntime } from './absent-runtime.ts'
import { dockerConfigDirectory, expectsEngine, findEngine } from './find-engine.ts'
import type { Home } from './home.ts'
import { homeIdOf } from './home-id.ts'
import { nativeProgram } from './native-program.ts'
import { openMachines } from './open-machines.ts'
import { systemClock } from './system-clock.ts'
import { weakerForms } from './weaker-forms.ts'

/** The runtimes of a node, in the order in which `inherit` prefers them. */
export interface Runtimes extends AsyncDisposable {
  readonly byIsolation: ReadonlyMap<Isolation, SandboxRuntime>
}

interface Options {
  readonly home: Home
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
}

/** An engine that runtimes share, opened by the first that wants it: one store alone notes its pulls. */
interface SharedEngine {
  known?: { readonly client: EngineClient; readonly images: DockerImageStore }
}

/** Opens the runtimes that the config permits, with what this installation brings. */
export async function openRuntimes(options: Options): Promise<Runtimes> {
  const { isolations } = options.config.spec.runtime
  await using undo = new AsyncDisposableStack()
  const byIsolation = new Map<Isolation, SandboxRuntime>()
  const shared: SharedEngine = {}
  for (const isolation of preferred().filter((one) => isolations.includes(one))) {
    byIsolation.set(isolation, await opened[isolation](options, undo, shared))
  }
  const resources = undo.move()
  return { byIsolation, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

/**
 * Processes start fastest, but not where there is nothing to isolate them with. A micro-VM is never
 * chosen without being named: most hosts would have to emulate it.
 */
const preferred = (): readonly Isolation[] =>
  existsSync(bubblewrap)
    ? ['process', 'docker', 'firecracker']
    : ['docker', 'process', 'firecracker']

const bubblewrap = '/usr/bin/bwrap'

async function openProcess(
  { home, config, env, logger }: Options,
  undo: AsyncDisposableStack,
): Promise<SandboxRuntime> {
  const { uid_range: uidRange, cgroup_parent: cgroupParent } = config.spec.runtime
  const [guestPath, launcherPath] = await Promise.all([
    locateGuest(nativeProgram('guest', home)),
    locateLauncher(nativeProgram('launch', home)),
  ])
  const runtime = await openProcessRuntime({
    bwrapPath: bubblewrap,
    stateDirectory: home.processRuntime,
    guestPath,
    launcherPath,
    nodePath: process.execPath,
    uidRange,
    cgroupParent,
    allowWeaker: weakerForms(config),
    protectedPaths: [home.directory],
    logger,
    ...(env.PATH === undefined ? {} : { searchPath: env.PATH }),
  })
  return undo.use(runtime)
}

/** Nothing is asked of an engine before somebody needs it: most nodes start without one. */
async function openDocker(
  options: Options,
  undo: AsyncDisposableStack,
  shared: SharedEngine,
): Promise<SandboxRuntime> {
  const { home, config, env, logger } = options
  const { docker_runtime: ociRuntime } = config.spec.runtime
  const endpoint = endpointOf(config, env)
  if (endpoint instanceof AegisError) return absentRuntime('docker', endpoint)
  const stateDirectory = home.dockerRuntime
  const client = openEngineClient(endpoint)
  const images = openImages(options, client)
  const runtime = openDockerRuntime({
    client,
    stateDirectory,
    ownerId: await homeIdOf(home.directory),
    guestPath: await locateGuest(nativeProgram('guest', home)),
    images,
    ...(ociRuntime !== undefined && { ociRuntime }),
    allowWeaker: weakerForms(config),
    protectedPaths: [home.directory],
    hostPathsAreLocal: client.endpoint.kind === 'unix',
    logger,
  })
  undo.use(runtime)
  undo.use(images)
  shared.known = { client, images }
  return runtime
}

/**
 * An engine brings the images of machines, where there is one; disks that were made stay without it.
 * Where there is none, registries are asked.
 */
async function openFirecracker(
  options: Options,
  undo: AsyncDisposableStack,
  shared: SharedEngine,
): Promise<SandboxRuntime> {
  const { home, config, env, logger } = options
  const engine = shared.known ?? openEngine(options, undo)
  const source: ImageSource | undefined = engine && {
    store: engine.images,
    archive: (id, signal) => saveImage(engine.client, id, signal),
    isExpected: () => expectsEngine(config, env),
  }
  const architecture = goArchitectures[arch()] ?? arch()
  const images = openMachineImages({
    directory: home.machineImages,
    ...(source && { source }),
    registry: openRegistries(options, architecture),
    architecture,
    now: () => systemClock.now(),
    logger,
  })
  undo.use(images)
  await images.sweep().catch((error: unknown) => {
    logger.warn({ err: error }, 'What was left of images for machines cannot be removed')
  })
  return undo.use(openMachines({ home, config, images, logger }))
}

function openEngine(options: Options, undo: AsyncDisposableStack): SharedEngine['known'] {
  const endpoint = endpointOf(options.config, options.env)
  if (endpoint instanceof AegisError) return undefined
  const client = undo.use(openEngineClient(endpoint))
  return { client, images: undo.use(openImages(options, client)) }
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64' }

const opened = { process: openProcess, docker: openDocker, firecracker: openFirecracker } as const

const openRegistries = ({ env }: Options, architecture: string): RegistryImages =>
  openRegistryImages({ credentials: credentialsOf(env), architecture })

/** Those of the user who runs the node. */
const credentialsOf = (env: NodeJS.ProcessEnv): RegistryCredentials =>
  openRegistryCredentials({ directory: dockerConfigDirectory(env), environment: env })

function openImages({ home, env, logger }: Options, engine: EngineClient): DockerImageStore {
  const credentials = credentialsOf(env)
  return openImageStore({ engine, stateDirectory: home.dockerRuntime, credentials, logger })
}

/** An address that is of no use spoils nothing for whoever needs no engine. */
function endpointOf(config: NodeConfig, env: NodeJS.ProcessEnv): EngineEndpoint | AegisError {
  try {
    return findEngine(config, env)
  } catch (error) {
    if (error instanceof AegisError) return error
    throw error
  }
}
