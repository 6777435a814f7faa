import {
  policyCheck,
  policyExplanation,
  policyExplanationToWire,
  policyList,
  policyListToWire,
  policyQuestion,
  policyReview,
  policyReviewToWire,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers } from './answers.ts'
import { planeOf } from './call.ts'
import { noQuery, policiesQuery } from './requests.ts'

/** Policies are read here, and changed as files. */
export const policyRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/policies',
    { schema: { tags, querystring: policiesQuery, response: answers(policyList) } },
    async (request) => {
      const { agent: agentRef } = request.query
      return policyListToWire(await planeOf(request).policies.list({ agentRef }))
    },
  )

  app.post(
    '/policies/explain',
    {
      schema: {
        tags,
        querystring: noQuery,
        body: policyQuestion,
        response: answers(policyExplanation),
      },
    },
    async (request) => {
      const { agent, request: asked } = request.body
      return policyExplanationToWire(await planeOf(request).policies.explain(agent, asked))
    },
  )

  app.post(
    '/policies/check',
    { schema: { tags, querystring: noQuery, body: policyCheck, response: answers(policyReview) } },
    async (request) => {
      const { files, against_agents: againstAgents } = request.body
      return policyReviewToWire(await planeOf(request).policies.check(files, { againstAgents }))
    },
  )
}

const tags = ['policies']
