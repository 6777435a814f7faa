import type { ControlPlane } from '@aegis/core'
import { nodeFindings, nodeStatus, nodeStatusToWire } from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers } from './answers.ts'
import { noQuery } from './requests.ts'

interface Deps {
  readonly controlPlane: ControlPlane
  readonly closing: AbortSignal
}

export const nodeRoutes: FastifyPluginAsyncZod<Deps> = async (
  app,
  { controlPlane: { node }, closing },
) => {
  app.get(
    '/node',
    { schema: { tags, querystring: noQuery, response: answers(nodeStatus) } },
    async () => nodeStatusToWire(await node.status()),
  )

  app.get(
    '/node/doctor',
    { schema: { tags, querystring: noQuery, response: answers(nodeFindings) } },
    async () => {
      const deadline = AbortSignal.timeout(doctorTimeoutMs)
      return [...(await node.doctor(AbortSignal.any([deadline, closing])))]
    },
  )
}

const tags = ['node']
const doctorTimeoutMs = 60_000
