import { health } from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { noQuery } from './requests.ts'

interface Deps {
  readonly ready: () => boolean
}

/** For load balancers and supervisors: open, cheap, and without anything worth knowing. */
export const healthRoutes: FastifyPluginAsyncZod<Deps> = async (app, { ready }) => {
  const startedMs = performance.now()
  const state = () => ({
    status: ready() ? ('healthy' as const) : ('starting' as const),
    uptime_seconds: Math.floor((performance.now() - startedMs) / 1_000),
    ready: ready(),
  })
  const schema = { tags: ['health'], querystring: noQuery, response: { 200: health } }

  app.get('/health', { schema, exposeHeadRoute: true }, async () => state())
  app.get('/health/live', { schema, exposeHeadRoute: true }, async () => state())
  app.get(
    '/health/ready',
    { schema: { ...schema, response: { 200: health, 503: health } }, exposeHeadRoute: true },
    async (_request, reply) => reply.code(ready() ? 200 : 503).send(state()),
  )
}
