import { AegisError } from '@aegis/core'
import type { FastifyInstance } from 'fastify'
import { sendProblem } from './answer-errors.ts'
import { problemOf, refusal } from './problem.ts'

/** Tells a path that is not there from a method that is not taken there. */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const routes: { readonly path: RegExp; readonly method: string }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    const path = new RegExp(`^${url.replaceAll(/[.]/g, '\\.').replaceAll(/:\w+/g, '[^/]+')}$`)
    for (const one of [method].flat()) routes.push({ path, method: one })
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/s, '')
    const methods = routes.filter((route) => route.path.test(path)).map(({ method }) => method)
    if (methods.length === 0) {
      const missing = 'There is nothing at this path. GET /openapi.json lists what there is.'
      return sendProblem(reply, problemOf(new AegisError('not-found', 'route.absent', missing)))
    }
    const allow = [...new Set(methods)].join(', ')
    const refused = refusal('request.method', `This path takes ${allow}, not ${request.method}.`)
    return sendProblem(reply.header('allow', allow), problemOf(refused))
  })
}
