import {
  type AgentExecutionEvent,
  manifestJsonSchema,
  parseManifest,
  parseManifestValue,
  readSignedManifest,
} from '@aegis/core'
import {
  agentLookup,
  agentSummaries,
  agentSummary,
  agentSummaryToWire,
  deployResult,
  deployResultToWire,
  eventToWire,
  executionStarted,
  manifest,
  signedManifestType,
  success,
} from '@aegis/http-contract'
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { answers, eventAnswers, progressAnswers } from './answers.ts'
import { callerOf, callOf, planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import { isSignedBody, takeSignedBodies, takeYamlBodies } from './parse-body.ts'
import {
  agentEventsQuery,
  agentParams,
  deployQuery,
  emptyBody,
  executeBody,
  lastAgentEvent,
  manifestQuery,
  nameParams,
  noQuery,
  reasonBody,
} from './requests.ts'
import { showProgress } from './show-progress.ts'
import { wantsEvents } from './wants-events.ts'

interface Deps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

export const agentRoutes: FastifyPluginAsyncZod<Deps> = async (app, deps) => {
  const { streams } = deps
  await app.register(deployRoute, deps)

  app.get(
    '/agents',
    { schema: { tags, querystring: noQuery, response: answers(agentSummaries) } },
    async (request) => (await planeOf(request).agents.list()).map(agentSummaryToWire),
  )

  app.get(
    '/agents/lookup/:name',
    { schema: { tags, params: nameParams, querystring: noQuery, response: answers(agentLookup) } },
    async (request) => ({ id: (await planeOf(request).agents.find(request.params.name)).id }),
  )

  app.get(
    '/agents/:ref',
    {
      schema: {
        tags,
        params: agentParams,
        querystring: manifestQuery,
        response: answers(manifest),
      },
    },
    (request) => planeOf(request).agents.manifest(request.params.ref, request.query.revision),
  )

  app.get(
    '/agents/:ref/summary',
    {
      schema: { tags, params: agentParams, querystring: noQuery, response: answers(agentSummary) },
    },
    async (request) => agentSummaryToWire(await planeOf(request).agents.find(request.params.ref)),
  )

  app.delete(
    '/agents/:ref',
    { schema: { tags, params: agentParams, querystring: noQuery, response: answers(success) } },
    async (request) => {
      await planeOf(request).agents.remove(request.params.ref)
      return done
    },
  )

  app.post(
    '/agents/:ref/pause',
    {
      schema: {
        tags,
        params: agentParams,
        querystring: noQuery,
        body: reasonBody,
        response: answers(success),
      },
    },
    async (request) => {
      await planeOf(request).agents.pause(request.params.ref, request.body?.reason)
      return done
    },
  )

  app.post(
    '/agents/:ref/resume',
    {
      schema: {
        tags,
        params: agentParams,
        querystring: noQuery,
        body: emptyBody,
        response: answers(success),
      },
    },
    async (request) => {
      await planeOf(request).agents.resume(request.params.ref)
      return done
    },
  )

  app.post(
    '/agents/:ref/execute',
    {
      schema: {
        tags,
        params: agentParams,
        querystring: noQuery,
        body: executeBody,
        response: answers(executionStarted),
      },
    },
    async (request) => {
      const { input, ...options } = request.body
      const { executions } = planeOf(request)
      const id = await executions.execute(request.params.ref, input, options)
      callOf(request).executionId = id
      return { execution_id: id }
    },
  )

  app.get(
    '/agents/:ref/events',
    {
      schema: {
        tags,
        params: agentParams,
        querystring: agentEventsQuery,
        headers: lastAgentEvent,
        response: eventAnswers,
      },
    },
    async (request, reply) => {
      const { params, query, headers } = request
      const { agents, executions } = planeOf(request)
      await agents.find(params.ref) // So that an absent agent is a 404 and not a stream.
      const last = headers['last-event-id']
      const known = await executions.list({ agentRef: params.ref, limit: 1_000 })
      const ids = known.map(({ id }) => id)
      return streams.send(reply, (signal) => {
        const events = agents.events(params.ref, query, signal)
        return outgoing(last === undefined ? events : behind(events, last, ids))
      })
    },
  )
}

async function* outgoing(events: AsyncIterable<AgentExecutionEvent>) {
  for await (const one of events) {
    yield { id: `${one.executionId}:${one.version}`, data: eventToWire(one.executionId, one) }
  }
}

interface Position {
  readonly execution: string
  readonly version: number
}

/**
 * What comes behind a position. Executions are shown one after the other in the order of their
 * queueing, so that the reader has seen all older ones; the one at the position itself may be too
 * old to be shown again.
 */
async function* behind(
  events: AsyncIterable<AgentExecutionEvent>,
  last: Position,
  newestFirst: readonly string[],
) {
  const at = newestFirst.indexOf(last.execution)
  const seen = new Set(at < 0 ? [] : newestFirst.slice(at + 1))
  for await (const one of events) {
    if (seen.has(one.executionId)) continue
    if (one.executionId !== last.execution || one.version > last.version) yield one
  }
}

/** By itself, since only here YAML is taken. */
const deployRoute: FastifyPluginAsyncZod<Deps> = async (app, { streams, closing }) => {
  takeYamlBodies(app)
  takeSignedBodies(app)
  app.post(
    '/agents',
    {
      schema: {
        tags,
        consumes: ['application/json', 'application/yaml', signedManifestType],
        querystring: deployQuery,
        body: z.unknown().meta({ ...manifestJsonSchema() }),
        response: progressAnswers(deployResult, '`progress` …, then `deployed`'),
      },
    },
    async (request, reply) => {
      const { query } = request
      const { plane, requireAgent } = callerOf(request)
      const { agents } = plane
      const { parsed, signed } = manifestOf(request)
      requireAgent(parsed.metadata.name)
      if (!wantsEvents(request)) {
        const deploy = (signal: AbortSignal) => agents.deploy(parsed, { ...query, signed, signal })
        return deployResultToWire(await forReader(reply, closing, deploy))
      }
      return streams.send(reply, (signal) =>
        showProgress(async (onProgress) => {
          const result = await agents.deploy(parsed, { ...query, signed, onProgress, signal })
          return { event: 'deployed', data: deployResultToWire(result) }
        }),
      )
    },
  )
}

function manifestOf(request: FastifyRequest) {
  const { body } = request
  if (typeof body !== 'string') return { parsed: parseManifestValue(body), signed: undefined }
  if (!isSignedBody(request)) return { parsed: parseManifest(body), signed: undefined }
  return { parsed: readSignedManifest(body), signed: body }
}

const tags = ['agents']
const done = { success: true } as const
