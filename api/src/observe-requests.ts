import type { Logger } from '@aegis/core'
import type { FastifyInstance } from 'fastify'
import { callOf } from './call.ts'
import type { ApiMetrics } from './metrics.ts'

/** One wide log line and one measurement for each request; health checks only whisper. */
export function observeRequests(app: FastifyInstance, logger: Logger, metrics: ApiMetrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    const fields = {
      requestId: request.id,
      method: request.method,
      route,
      path: request.url.slice(0, 200),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      actor: callOf(request).actor?.name ?? '',
    }
    if (route.startsWith('/health') || route === '/metrics') logger.debug(fields, 'request')
    else logger.info(fields, 'request')
    if (route.endsWith('/events')) return
    const seconds = reply.elapsedTime / 1_000
    metrics.observe({ method: request.method, route, status: reply.statusCode, seconds })
  })
}
