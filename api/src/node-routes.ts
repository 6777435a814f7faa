import { nodeFindings, nodeStatus, nodeStatusToWire } from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers } from './answers.ts'
import { planeOf } from './call.ts'
import { noQuery } from './requests.ts'

interface Deps {
  readonly closing: AbortSignal
}

export const nodeRoutes: FastifyPluginAsyncZod<Deps> = async (app, { closing }) => {
  app.get(
    '/node',
    { schema: { tags, querystring: noQuery, response: answers(nodeStatus) } },
    async (request) => nodeStatusToWire(await planeOf(request).node.status()),
  )

  app.get(
    '/node/doctor',
    { schema: { tags, querystring: noQuery, response: answers(nodeFindings) } },
    async (request) => {
      const deadline = AbortSignal.timeout(doctorTimeoutMs)
      return [...(await planeOf(request).node.doctor(AbortSignal.any([deadline, closing])))]
    },
  )
}

const tags = ['node']
const doctorTimeoutMs = 60_000
