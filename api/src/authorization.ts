import { AegisError, type Authenticate } from '@aegis/core'
import type { FastifyInstance } from 'fastify'

/** What a caller needs: `open` nothing, `token` the node's API token. */
export type Access = 'open' | 'token'

/**
 * Every route of the API and what it takes to use it. A route that is missing here needs a token
 * all the same; a test compares the table with the router.
 */
export const authorization: Readonly<Record<string, Access>> = {
  'GET /health': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /metrics': 'token',
  'GET /openapi.json': 'token',
  'GET /api/node': 'token',
  'GET /api/node/doctor': 'token',
  'POST /api/agents': 'token',
  'GET /api/agents': 'token',
  'GET /api/agents/lookup/:name': 'token',
  'GET /api/agents/:ref': 'token',
  'GET /api/agents/:ref/summary': 'token',
  'GET /api/agents/:ref/events': 'token',
  'POST /api/agents/:ref/pause': 'token',
  'POST /api/agents/:ref/resume': 'token',
  'POST /api/agents/:ref/execute': 'token',
  'DELETE /api/agents/:ref': 'token',
  'GET /api/images': 'token',
  'POST /api/images/pull': 'token',
  'POST /api/images/prune': 'token',
  'GET /api/sandboxes': 'token',
  'GET /api/sandboxes/events': 'token',
  'GET /api/executions': 'token',
  'GET /api/executions/:id': 'token',
  'GET /api/executions/:id/events': 'token',
  'POST /api/executions/:id/cancel': 'token',
  'DELETE /api/executions/:id': 'token',
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Name of who asks; empty on open routes. */
    actor: string
  }
}

/** Lets nobody without a token past the open routes, also not to learn which routes there are. */
export function requireToken(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('actor', '')
  app.addHook('onRequest', async (request) => {
    const method = request.method === 'HEAD' ? 'GET' : request.method
    if (authorization[`${method} ${request.routeOptions.url}`] === 'open') return
    const actor = await authenticate(bearerToken(request.headers.authorization))
    if (actor === undefined) throw wrong()
    request.actor = actor.name
  })
}

function bearerToken(header: string | undefined): string {
  if (header === undefined) {
    throw new AegisError(
      'unauthenticated',
      'token.absent',
      'This needs the API token: send Authorization: Bearer <token>. The node keeps it in a file in its AEGIS_HOME, which aegis reads by itself.',
    )
  }
  const token = /^bearer +([\x21-\x7e]{1,4096})$/i.exec(header)?.[1]
  if (token === undefined) throw wrong()
  return token
}

const wrong = (): AegisError =>
  new AegisError(
    'unauthenticated',
    'token.wrong',
    'The API token is not the one of this node. Read it again from the token file in the AEGIS_HOME of the node.',
  )
