import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AegisError,
  type AuditTrail,
  type Authenticate,
  type Clock,
  type Logger,
  localActor,
  type PolicyEngine,
} from '@aegis/core'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { jsonSchemaTransform, serializerCompiler } from 'fastify-type-provider-zod'
import { agentRoutes } from './agent-routes.ts'
import { answerError, answerErrors } from './answer-errors.ts'
import { auditCalls } from './audit-calls.ts'
import { auditRoutes } from './audit-routes.ts'
import { authorize, type ServedNode } from './authorize.ts'
import { type EventStreams, makeEventStreams } from './event-stream-reply.ts'
import { executionRoutes } from './execution-routes.ts'
import { guardOrigin } from './guard-origin.ts'
import { healthRoutes } from './health-routes.ts'
import { makeHttpServer, type TlsFiles } from './http-server.ts'
import { imageRoutes } from './image-routes.ts'
import { limits } from './limits.ts'
import { type MetricsSource, makeApiMetrics } from './metrics.ts'
import { nodeRoutes } from './node-routes.ts'
import { observeRequests } from './observe-requests.ts'
import { parseJsonBodies } from './parse-body.ts'
import { policyRoutes } from './policy-routes.ts'
import { refuseMalformed } from './refuse-malformed.ts'
import { sandboxRoutes } from './sandbox-routes.ts'
import { secretRoutes } from './secret-routes.ts'
import { makeThrottle } from './throttle.ts'
import { tokenRoutes } from './token-routes.ts'
import { answerUnknownRoutes } from './unknown-routes.ts'
import { trackUnusedConnections } from './unused-connections.ts'
import { validateRequest } from './validate-request.ts'

export interface ApiOptions {
  readonly node: ServedNode
  readonly authenticate: Authenticate
  readonly policies: Pick<PolicyEngine, 'decideApi'>
  readonly audit: AuditTrail
  readonly clock: Clock
  /** How often a caller may ask. */
  readonly rates: {
    readonly requestsPerMinute: number
    /** Wrong tokens from one address. */
    readonly failuresPerMinute: number
  }
  readonly network: {
    readonly bindAddress: string
    /** 0: any free one. */
    readonly port: number
    readonly tls?: TlsFiles | undefined
  }
  /** Names, besides localhost and the bind address, under which users reach this node. */
  readonly allowedHosts?: readonly string[]
  /** Of AEGIS, for the OpenAPI document. */
  readonly version: string
  /** Whether `/metrics` is served. Default: yes. */
  readonly servesMetrics?: boolean
  /** What else `/metrics` shows. */
  readonly metrics?: readonly MetricsSource[]
  readonly logger: Logger
  /** Whether the node takes work; `/health/ready` says so. */
  readonly ready: () => boolean
}

/** A node's HTTP API while it listens. Disposing it breaks off event streams and closes the port. */
export interface Api extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

/**
 * Serves a node over HTTP. Resolves once it listens.
 * @throws AegisError `conflict` / `api.port` the port is taken · `denied` / `api.port` it may not
 * be used · `invalid` / `api.address`, `api.tls`
 */
export async function openApi(options: ApiOptions): Promise<Api> {
  const { bindAddress, port, tls } = options.network
  if (isExposed(options.network)) {
    options.logger.warn(
      { bindAddress },
      'other machines may reach the api without tls: tokens can be read on the way; see network.tls',
    )
  }
  const closing = new AbortController()
  const app = await buildApp(options, closing.signal)
  const unused = trackUnusedConnections(app.server)
  try {
    await app.listen({ host: bindAddress, port })
  } catch (error) {
    await app.close()
    throw listenError(error, bindAddress, port)
  }
  const address = app.server.address()
  const boundPort = typeof address === 'object' && address !== null ? address.port : port
  return {
    port: boundPort,
    url: `${tls === undefined ? 'http' : 'https'}://${reachable(bindAddress)}:${boundPort}`,
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('The API closes'))
      unused.destroy()
      const patience = new AbortController()
      const late = sleep(limits.closeTimeoutMs, undefined, { signal: patience.signal })
      late.then(
        () => app.server.closeAllConnections(),
        () => {}, // All were done in time.
      )
      await app.close()
      patience.abort()
    },
  }
}

/** The API without a port, for tests that inject requests. */
export async function buildApp(
  options: ApiOptions,
  closing: AbortSignal,
): Promise<FastifyInstance> {
  const { node, logger, clock } = options
  const app = fastify({
    serverFactory: await makeHttpServer(options.network.tls),
    bodyLimit: limits.bodyBytes,
    routerOptions: { maxParamLength: 200 },
    exposeHeadRoutes: false,
    genReqId: () => randomUUID(),
    clientErrorHandler: (error, socket) => refuseMalformed(error, socket as Socket),
    frameworkErrors: (error, request, reply) => answerError(error, request, reply, logger),
  })
  const streams = makeEventStreams({ closing, clock, logger })
  const metrics = makeApiMetrics({
    node: node.as(localActor).node,
    figures: node.sandboxFigures,
    sources: options.metrics ?? [],
    openStreams: () => streams.open,
  })
  app.addHook('onClose', async () => metrics[Symbol.dispose]())
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
  })
  app.setValidatorCompiler(validateRequest)
  app.setSerializerCompiler(serializerCompiler)

  answerErrors(app, logger)
  observeRequests(app, logger, metrics)
  auditCalls(app, options)
  guardOrigin(app, {
    bindAddress: options.network.bindAddress,
    allowedHosts: options.allowedHosts ?? [],
  })
  authorize(app, { ...options, throttle: makeThrottle({ ...options.rates, clock }) })
  answerUnknownRoutes(app)
  parseJsonBodies(app)

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'AEGIS',
        version: options.version,
        description: 'Deploy agents and run them in sandboxes.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  })
  const deps = { streams, closing }
  await app.register(healthRoutes, { ready: options.ready })
  await app.register(controlRoutes, { prefix: '/api', deps })
  await app.register(controlRoutes, { prefix: '/v1', deps, isHidden: true })
  if (options.servesMetrics !== false) {
    app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    )
  }
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  return app
}

/** What users ask of the node. Later clients of the reference call it under `/v1`. */
const controlRoutes: FastifyPluginAsync<{ deps: RouteDeps; isHidden?: boolean }> = async (
  app,
  { deps, isHidden = false },
) => {
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, hide: isHidden }
  })
  await app.register(agentRoutes, deps)
  await app.register(executionRoutes, deps)
  await app.register(imageRoutes, deps)
  await app.register(auditRoutes, deps)
  await app.register(sandboxRoutes, deps)
  await app.register(policyRoutes)
  await app.register(secretRoutes)
  await app.register(tokenRoutes)
  await app.register(nodeRoutes, deps)
}

interface RouteDeps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

function listenError(error: unknown, address: string, port: number): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  switch (error.code) {
    case 'EADDRINUSE':
      return new AegisError(
        'conflict',
        'api.port',
        `Port ${port} on ${address} is taken. Stop what uses it (ss -ltnp), or choose another with --port or network.port.`,
        { cause: error },
      )
    case 'EACCES':
      return new AegisError(
        'denied',
        'api.port',
        `Port ${port} is reserved for root. Choose one from 1024 with --port or network.port.`,
        { cause: error },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new AegisError(
        'invalid',
        'api.address',
        `This machine has no address ${address}. Correct network.bind_address, for example to 127.0.0.1.`,
        { cause: error },
      )
    default:
      return error
  }
}

/** Whether other machines may reach an API that listens so, and without TLS. */
export const isExposed = ({ bindAddress, tls }: ApiOptions['network']): boolean =>
  tls === undefined && !isLoopback(bindAddress)

const isLoopback = (address: string): boolean =>
  address === 'localhost' || address === '::1' || address.startsWith('127.')

/** Where a client on this machine reaches it. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return address.includes(':') ? `[${address}]` : address
}
