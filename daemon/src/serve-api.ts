import { type Api, openApi } from '@aegis/api'
import type { DomainNode, Logger, NodeConfig } from '@aegis/core'
import { openApiToken } from '@aegis/security'
import type { Home } from './home.ts'
import { version } from './version.ts'

interface ServeOptions {
  readonly home: Home
  readonly config: NodeConfig
  readonly node: DomainNode
  readonly logger: Logger
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly ready: () => boolean
}

/** Serves a node over HTTP, to whoever holds the token of its home. */
export async function serveApi(options: ServeOptions): Promise<Api> {
  const { home, config, node, logger, ready } = options
  const { authenticate } = await openApiToken(home.token)
  const { bind_address: bindAddress, port, tls } = config.spec.network
  return openApi({
    controlPlane: node.controlPlane,
    authenticate,
    network: {
      bindAddress: options.host ?? bindAddress,
      port: options.port ?? port,
      ...(tls !== undefined && {
        tls: {
          certPath: tls.cert_path,
          keyPath: tls.key_path,
          caPath: tls.ca_path,
        },
      }),
    },
    version,
    servesMetrics: config.spec.observability.metrics.enabled,
    logger,
    ready,
  })
}
