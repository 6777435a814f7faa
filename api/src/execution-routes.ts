import type { ExecutionId, ExecutionStatus, VersionedEvent } from '@aegis/core'
import {
  cancelled,
  eventToWire,
  executionDetail,
  executionDetailToWire,
  executionSummaries,
  executionSummaryToWire,
  success,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { answers, eventAnswers } from './answers.ts'
import { planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import {
  executionEventsQuery,
  executionParams,
  executionsQuery,
  lastVersion,
  noQuery,
  reasonBody,
} from './requests.ts'

interface Deps {
  readonly streams: EventStreams
}

export const executionRoutes: FastifyPluginAsyncZod<Deps> = async (app, { streams }) => {
  app.get(
    '/executions',
    { schema: { tags, querystring: executionsQuery, response: answers(executionSummaries) } },
    async (request) => {
      const { agent_id, status, limit } = request.query
      const found = await planeOf(request).executions.list({ agentRef: agent_id, status, limit })
      return found.map(executionSummaryToWire)
    },
  )

  app.get(
    '/executions/:id',
    {
      schema: {
        tags,
        params: executionParams,
        querystring: noQuery,
        response: answers(executionDetail),
      },
    },
    async (request) =>
      executionDetailToWire(await planeOf(request).executions.find(request.params.id)),
  )

  app.post(
    '/executions/:id/cancel',
    {
      schema: {
        tags,
        params: executionParams,
        querystring: noQuery,
        body: reasonBody,
        response: answers(cancelled),
      },
    },
    async (request) => ({
      success: true as const,
      status: await planeOf(request).executions.cancel(request.params.id, request.body?.reason),
    }),
  )

  app.delete(
    '/executions/:id',
    { schema: { tags, params: executionParams, querystring: noQuery, response: answers(success) } },
    async (request) => {
      await planeOf(request).executions.remove(request.params.id)
      return { success: true as const }
    },
  )

  app.get(
    '/executions/:id/events',
    {
      schema: {
        tags,
        params: executionParams,
        querystring: executionEventsQuery,
        headers: lastVersion,
        response: eventAnswers,
      },
    },
    async (request, reply) => {
      const { params, query, headers } = request
      const { executions } = planeOf(request)
      const { id, status } = await executions.find(params.id)
      const resumed = headers['last-event-id']
      const after = resumed ?? query.after
      const follow = query.follow && !isTerminal(status)
      const read = (signal: AbortSignal) => executions.events(id, { after, follow }, signal)
      if (resumed !== undefined && isTerminal(status) && (await isEmpty(read))) {
        // A browser's EventSource comes back after every end; this status alone tells it to stop.
        return reply.code(204).send()
      }
      return streams.send(reply, (signal) => outgoing(id, read(signal)))
    },
  )
}

async function* outgoing(id: ExecutionId, events: AsyncIterable<VersionedEvent>) {
  for await (const one of events) yield { id: String(one.version), data: eventToWire(id, one) }
}

/** Whether nothing is left to read of a finished execution. */
async function isEmpty(read: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<boolean> {
  const enough = new AbortController()
  try {
    for await (const _ of read(enough.signal)) return false
    return true
  } finally {
    enough.abort()
  }
}

const terminal: ReadonlySet<ExecutionStatus> = new Set([
  'completed',
  'failed',
  'cancelled',
  'timed_out',
])

const isTerminal = (status: ExecutionStatus): boolean => terminal.has(status)

const tags = ['executions']
