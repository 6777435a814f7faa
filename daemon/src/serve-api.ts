import { type Api, type ApiOptions, openApi } from '@aegis/api'
import type {
  AuditTrail,
  Clock,
  DomainNode,
  Logger,
  NodeConfig,
  PolicyEngine,
  TokenRepository,
} from '@aegis/core'
import type { Home } from './home.ts'
import { openAccess } from './open-access.ts'
import { version } from './version.ts'

interface ServeOptions {
  readonly home: Home
  readonly config: NodeConfig
  readonly node: DomainNode
  readonly tokens: TokenRepository
  readonly policies: PolicyEngine
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly logger: Logger
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly ready: () => boolean
}

/** Serves a node over HTTP, to whoever has a token that it knows. */
export async function serveApi(options: ServeOptions): Promise<Api> {
  const { config, node, policies, audit, clock, logger, ready } = options
  const { access } = config.spec.security
  await using undo = new AsyncDisposableStack()
  const { authenticate } = undo.use(await openAccess(options))
  const api = undo.use(
    await openApi({
      node,
      authenticate,
      policies,
      audit,
      clock,
      rates: {
        requestsPerMinute: access.requests_per_minute,
        failuresPerMinute: access.failures_per_minute,
      },
      allowedHosts: access.allowed_hosts,
      network: networkOf(config, options),
      version,
      servesMetrics: config.spec.observability.metrics.enabled,
      logger,
      ready,
    }),
  )
  const resources = undo.move()
  return {
    url: api.url,
    port: api.port,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** Where the API listens: as the command says, or the configuration. */
export function networkOf(
  { spec }: NodeConfig,
  { host, port }: Pick<ServeOptions, 'host' | 'port'>,
): ApiOptions['network'] {
  const { bind_address, port: usual, tls } = spec.network
  return {
    bindAddress: host ?? bind_address,
    port: port ?? usual,
    ...(tls !== undefined && {
      tls: { certPath: tls.cert_path, keyPath: tls.key_path, caPath: tls.ca_path },
    }),
  }
}
