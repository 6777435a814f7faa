import type { SandboxEvent } from '@aegis/core'
import { sandboxEvent, sandboxStatuses, sandboxStatusToWire } from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers, streamAnswers } from './answers.ts'
import { planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import { noQuery } from './requests.ts'

interface Deps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

export const sandboxRoutes: FastifyPluginAsyncZod<Deps> = async (app, { streams, closing }) => {
  app.get(
    '/sandboxes',
    { schema: { tags, querystring: noQuery, response: answers(sandboxStatuses) } },
    async (request, reply) => {
      const { sandboxes } = planeOf(request)
      const there = await forReader(reply, closing, (signal) => sandboxes.list(signal))
      return there.map(sandboxStatusToWire)
    },
  )

  app.get(
    '/sandboxes/events',
    { schema: { tags, querystring: noQuery, response: streamAnswers(sandboxEvent) } },
    async (request, reply) => {
      const { sandboxes } = planeOf(request)
      return streams.send(reply, (signal) => outgoing(sandboxes.events(signal)))
    },
  )
}

async function* outgoing(events: AsyncIterable<SandboxEvent>) {
  for await (const data of events) yield { data }
}

const tags = ['sandboxes']
