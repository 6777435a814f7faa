import { Secret } from '@aegis/core'
import {
  secretChanged,
  secretChangedToWire,
  secretRotation,
  secretRotationToWire,
  secretSummaries,
  secretSummaryToWire,
  success,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers } from './answers.ts'
import { planeOf } from './call.ts'
import { parseSecretBodies } from './parse-body.ts'
import { emptyBody, noQuery, rotateBody, secretBody, secretParams } from './requests.ts'

/** Values come in and never go out again, in no answer, no error and no log. */
export const secretRoutes: FastifyPluginAsyncZod = async (app) => {
  parseSecretBodies(app)

  app.get(
    '/secrets',
    { schema: { tags, querystring: noQuery, response: answers(secretSummaries) } },
    async (request) => (await planeOf(request).secrets.list()).map(secretSummaryToWire),
  )

  app.put(
    '/secrets/:name',
    {
      schema: {
        tags,
        params: secretParams,
        querystring: noQuery,
        body: secretBody,
        response: answers(secretChanged),
      },
    },
    async (request) => {
      const { value, ...scope } = request.body
      const change = { ...scope, value: new Secret(value) }
      return secretChangedToWire(await planeOf(request).secrets.set(request.params.name, change))
    },
  )

  app.delete(
    '/secrets/:name',
    {
      schema: {
        tags,
        params: secretParams,
        querystring: noQuery,
        body: emptyBody,
        response: answers(success),
      },
    },
    async (request) => {
      await planeOf(request).secrets.remove(request.params.name)
      return { success: true } as const
    },
  )

  app.post(
    '/secrets/rotate',
    { schema: { tags, querystring: noQuery, body: rotateBody, response: answers(secretRotation) } },
    async (request) => {
      const { key } = request.body ?? {}
      return secretRotationToWire(await planeOf(request).secrets.rotate({ key }))
    },
  )
}

const tags = ['secrets']
