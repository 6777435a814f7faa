import {
  createdToken,
  createdTokenToWire,
  newToken,
  newTokenFromWire,
  tokenFacts,
  tokenFactsToWire,
  tokenList,
  whoAmI,
  whoAmIToWire,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers } from './answers.ts'
import { planeOf } from './call.ts'
import { noQuery, tokenParams } from './requests.ts'

export const tokenRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/whoami',
    { schema: { tags, querystring: noQuery, response: answers(whoAmI) } },
    async (request) => whoAmIToWire(await planeOf(request).tokens.whoami()),
  )

  app.get(
    '/tokens',
    { schema: { tags, querystring: noQuery, response: answers(tokenList) } },
    async (request) => (await planeOf(request).tokens.list()).map(tokenFactsToWire),
  )

  app.post(
    '/tokens',
    {
      schema: { tags, querystring: noQuery, body: newToken, response: answers(createdToken) },
    },
    async (request) =>
      createdTokenToWire(await planeOf(request).tokens.create(newTokenFromWire(request.body))),
  )

  app.delete(
    '/tokens/:token',
    {
      schema: { tags, params: tokenParams, querystring: noQuery, response: answers(tokenFacts) },
    },
    async (request) => tokenFactsToWire(await planeOf(request).tokens.revoke(request.params.token)),
  )
}

const tags = ['tokens']
