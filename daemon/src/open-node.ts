import { readFileSync } from 'node:fs'
import { isExposed } from '@aegis/api'
import {
  auditControlPlane,
  type ControlPlane,
  exitCodeValidator,
  type Logger,
  limitsOf,
  makeNode,
  type NodeConfig,
  outputValidator,
} from '@aegis/core'
import { openGateway } from '@aegis/gateway'
import { mintToken, openImageKeys, openManifestKeys, openPolicyEngine } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { findDaemon } from './find-daemon.ts'
import { prepareHome } from './home.ts'
import { lockHome } from './lock-home.ts'
import { logLevelOf } from './log-level.ts'
import { nodeCapacity } from './node-capacity.ts'
import { openAudit } from './open-audit.ts'
import { openLogger } from './open-logger.ts'
import { openRuntimes } from './open-runtimes.ts'
import { openVault } from './open-vault.ts'
import { bootstrapOf } from './own-bootstrap.ts'
import { randomIds } from './random-ids.ts'
import { secretsFrom } from './secrets-from.ts'
import { networkOf, serveApi } from './serve-api.ts'
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
  const store = undo.use(
    await openSqliteStore({
      path: home.database,
      logger,
      auditTexts: config.spec.security.audit.texts,
    }),
  )
  const auditLog = undo.use(
    await openAudit({ store: store.audit, home, config, clock: systemClock, logger }),
  )
  const gateway = undo.use(
    openGateway({
      providers: config.spec.llm_providers,
      selection: config.spec.llm_selection,
      secret: secretsFrom(env, logger),
      readText: (path) => readFileSync(path, 'utf8'),
      resolvers: config.spec.security.egress.resolvers,
      nodeName: config.metadata.name,
      logger,
    }),
  )
  const policies = undo.use(
    openPolicyEngine({
      folder: config.spec.security.policies ?? home.policies,
      required: config.spec.security.policies !== undefined,
      security: config.spec.security,
      eager: serve !== undefined,
      logger,
    }),
  )
  const vault = await openVault({ home, config, env, logger })
  const { image_keys: imageKeys, manifest_keys: manifestKeys } = config.spec.security.supply
  const supply = {
    images: await openImageKeys(imageKeys),
    manifests: openManifestKeys(manifestKeys),
  }
  const runtimes = undo.use(await openRuntimes({ home, config, env, logger }))
  const about = {
    version,
    pid: process.pid,
    scriptedModel: gateway.scripted,
    exposed: serve !== undefined && isExposed(networkOf(config, serve)),
  }
  const node = makeNode({
    ...store,
    config,
    gateway,
    policies,
    mintToken,
    auditLog,
    vault,
    supply,
    runtimes: runtimes.byIsolation,
    bootstrap: bootstrapOf(config),
    validators: [exitCodeValidator, outputValidator],
    limitsOf: (manifest) => limitsOf(manifest, config),
    capacity: nodeCapacity(config),
    runs: serve === undefined ? 'own' : 'all',
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
    serve &&
    undo.use(
      await serveApi({
        home,
        config,
        node,
        tokens: store.tokens,
        policies,
        audit: store.audit,
        clock: systemClock,
        logger,
        ...serve,
        ready: () => ready,
      }),
    )
  undo.defer(() => {
    ready = false
  })

  const resources = undo.move()
  return {
    // The API records the calls of its callers itself.
    controlPlane:
      serve === undefined
        ? auditControlPlane(node.controlPlane, { audit: store.audit, clock: systemClock })
        : node.controlPlane,
    url: api?.url,
    tokenPath: home.token,
    logger,
    scriptedModel: gateway.scripted,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
