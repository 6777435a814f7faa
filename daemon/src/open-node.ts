import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Api, openApi } from '@aegis/api'
import {
  AegisError,
  type Bootstrap,
  type ControlPlane,
  type DomainNode,
  exitCodeValidator,
  type Logger,
  limitsOf,
  makeNode,
  type NodeConfig,
  outputValidator,
  type SandboxRuntime,
} from '@aegis/core'
import { openGateway } from '@aegis/gateway'
import { locateLauncher, openProcessRuntime } from '@aegis/runtime-process'
import { bootstrapFor, locateGuest } from '@aegis/sandbox'
import { openApiToken } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { findDaemon } from './find-daemon.ts'
import { type Home, prepareHome } from './home.ts'
import { lockHome } from './lock-home.ts'
import { nodeCapacity } from './node-capacity.ts'
import { logLevelOf, openLogger } from './open-logger.ts'
import { randomIds } from './random-ids.ts'
import { secretsFrom } from './secrets-from.ts'
import { systemClock } from './system-clock.ts'
import { version } from './version.ts'

export interface OpenNodeOptions {
  /** AEGIS_HOME; made when missing. */
  readonly home: string
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  /** From `--log-level`. */
  readonly logLevel?: string | undefined
  /** Serve the HTTP API; absent: embedded, in the process of a command. */
  readonly serve?: { readonly host?: string | undefined; readonly port?: number | undefined }
  readonly logger?: Logger
}

export interface Node extends AsyncDisposable {
  readonly controlPlane: ControlPlane
  /** Where the API listens, when it serves. */
  readonly url: string | undefined
  readonly tokenPath: string
  readonly logger: Logger
  /** True when the offline scripted provider answers because no other is configured. */
  readonly scriptedModel: boolean
}

/**
 * Builds a whole node on a home: locks the home, opens store, gateway and runtimes, sweeps and
 * recovers what a dead owner left, and starts to work.
 * @throws AegisError `conflict` / `home.locked` when another process owns the home
 */
export async function openNode(options: OpenNodeOptions): Promise<Node> {
  const { config, env, serve } = options
  const home = await prepareHome(options.home)
  const logger = options.logger ?? openLogger({ config, env, asked: options.logLevel })
  await using undo = new AsyncDisposableStack()
  const heldByDaemon = async () => (await findDaemon(home.directory)).state !== 'stopped'
  undo.use(await lockHome(home.directory, heldByDaemon))
  const store = undo.use(await openSqliteStore({ path: home.database, logger }))
  const gateway = undo.use(
    openGateway({
      providers: config.spec.llm_providers,
      selection: config.spec.llm_selection,
      secret: secretsFrom(env, logger),
      readText: (path) => readFileSync(path, 'utf8'),
      logger,
    }),
  )
  const runtime = undo.use(await openRuntime(home, config, env, logger))
  const about = { version, pid: process.pid, scriptedModel: gateway.scripted }
  const node = makeNode({
    ...store,
    config,
    gateway,
    runtimes: new Map([[runtime.isolation, runtime]]),
    bootstrap: bootstrapOf(config),
    validators: [exitCodeValidator, outputValidator],
    limitsOf: (manifest) => limitsOf(manifest, config),
    capacity: nodeCapacity(config),
    debug: ['debug', 'trace'].includes(logLevelOf({ config, env, asked: options.logLevel })),
    clock: systemClock,
    ids: randomIds,
    logger,
    about,
  })
  await node.start(new AbortController().signal)
  undo.defer(() => node.stop())
  let ready = true
  const api =
    serve && undo.use(await serveApi({ home, config, node, logger, ...serve, ready: () => ready }))
  undo.defer(() => {
    ready = false
  })

  const resources = undo.move()
  return {
    controlPlane: node.controlPlane,
    url: api?.url,
    tokenPath: home.token,
    logger,
    scriptedModel: gateway.scripted,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function openRuntime(
  home: Home,
  config: NodeConfig,
  env: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<SandboxRuntime> {
  const {
    uid_range: uidRange,
    cgroup_parent: cgroupParent,
    allow_weaker: weaker,
  } = config.spec.runtime
  const [guestPath, launcherPath] = await Promise.all([
    locateGuest(nativeProgram('guest', home)),
    locateLauncher(nativeProgram('launch', home)),
  ])
  return openProcessRuntime({
    stateDirectory: home.processRuntime,
    guestPath,
    launcherPath,
    nodePath: process.execPath,
    uidRange,
    cgroupParent,
    allowWeaker: weaker.includes('cgroup') ? ['cgroup'] : [],
    protectedPaths: [home.directory],
    logger,
    ...(env.PATH === undefined ? {} : { searchPath: env.PATH }),
  })
}

/**
 * A published package brings the compiled programs beside its bundle; a clone compiles them into
 * its own build folder, named by their sources; whoever may not write there uses the home.
 */
function nativeProgram(
  name: 'guest' | 'launch',
  home: Home,
): { readonly buildDirectory: string; readonly prebuilt?: string } {
  const prebuilt = fileURLToPath(new URL(`./${name}-${arch()}`, import.meta.url))
  if (existsSync(prebuilt)) return { buildDirectory: home.build, prebuilt }
  const clone = fileURLToPath(new URL('../..', import.meta.url))
  return { buildDirectory: isWritable(clone) ? join(clone, 'build') : home.build }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return existsSync(join(directory, 'package.json'))
  } catch {
    return false
  }
}

function bootstrapOf({ spec }: NodeConfig): (language: 'python' | 'javascript') => Bootstrap {
  const own = spec.runtime.bootstrap_script
  if (own === undefined) return bootstrapFor
  const content = readOwnBootstrap(own)
  return (language) => {
    const standard = bootstrapFor(language)
    return language === 'python' ? { ...standard, file: { ...standard.file, content } } : standard
  }
}

function readOwnBootstrap(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new AegisError(
      'invalid',
      'config.bootstrap',
      `spec.runtime.bootstrap_script names ${path}, which cannot be read. Mend the path, or leave the key out to use the one that comes with AEGIS.`,
      { cause },
    )
  }
}

interface ServeOptions {
  readonly home: Home
  readonly config: NodeConfig
  readonly node: DomainNode
  readonly logger: Logger
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly ready: () => boolean
}

async function serveApi(options: ServeOptions): Promise<Api> {
  const { home, config, node, logger, ready } = options
  const { authenticate } = await openApiToken(home.token)
  const { bind_address: bindAddress, port, tls } = config.spec.network
  return openApi({
    controlPlane: node.controlPlane,
    authenticate,
    network: {
      bindAddress: options.host ?? bindAddress,
      port: options.port ?? port,
      ...(tls === undefined ? {} : { tls: { certPath: tls.cert_path, keyPath: tls.key_path } }),
    },
    version,
    logger,
    ready,
  })
}
