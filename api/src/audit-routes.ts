import type { LoggedEntry } from '@aegis/core'
import {
  auditProgress,
  auditReport,
  auditReportToWire,
  loggedEntries,
  loggedEntry,
  loggedEntryToWire,
  verifierKey,
} from '@aegis/http-contract'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { z } from 'zod'
import { answers, plainAnswers, progressAnswers, streamAnswers } from './answers.ts'
import { planeOf } from './call.ts'
import type { EventStreams } from './event-stream-reply.ts'
import { forReader } from './for-reader.ts'
import {
  auditEventsQuery,
  auditQuery,
  emptyBody,
  entryParams,
  lastEntry,
  noQuery,
  proofQuery,
  tileParams,
} from './requests.ts'
import { showProgress } from './show-progress.ts'
import { wantsEvents } from './wants-events.ts'

interface Deps {
  readonly streams: EventStreams
  readonly closing: AbortSignal
}

/**
 * The log of the node. `checkpoint` and `tile/` are C2SP tlog-tiles, so that any monitor of that
 * form can read it with `/api/audit` as its prefix.
 */
export const auditRoutes: FastifyPluginAsyncZod<Deps> = async (app, { streams, closing }) => {
  app.get(
    '/audit/entries',
    { schema: { tags, querystring: auditQuery, response: answers(loggedEntries) } },
    async (request, reply) => {
      const { audit } = planeOf(request)
      const query = auditQueryOf(request.query)
      const found = await forReader(reply, closing, (signal) => audit.list(query, signal))
      return found.map(loggedEntryToWire)
    },
  )

  app.get(
    '/audit/entries/:index',
    {
      schema: { tags, params: entryParams, querystring: noQuery, response: answers(loggedEntry) },
    },
    async (request) => loggedEntryToWire(await planeOf(request).audit.entry(request.params.index)),
  )

  app.get(
    '/audit/events',
    {
      schema: {
        tags,
        querystring: auditEventsQuery,
        headers: lastEntry,
        response: streamAnswers(loggedEntry),
      },
    },
    async (request, reply) => {
      const { audit } = planeOf(request)
      const last = request.headers['last-event-id']
      const from = last === undefined ? request.query.from : last + 1
      const query = { ...auditQueryOf(request.query), from }
      return streams.send(reply, (signal) => outgoing(audit.follow(query, signal)))
    },
  )

  app.get(
    '/audit/key',
    { schema: { tags, querystring: noQuery, response: answers(verifierKey) } },
    async (request) => ({ key: await planeOf(request).audit.key() }),
  )

  app.get(
    '/audit/checkpoint',
    {
      schema: {
        tags,
        querystring: noQuery,
        response: plainAnswers('text/plain', 'A signed note (C2SP tlog-checkpoint)'),
      },
    },
    async (request, reply) =>
      reply
        .type('text/plain; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(await planeOf(request).audit.checkpoint()),
  )

  app.get(
    '/audit/tile/*',
    {
      schema: {
        tags,
        params: tileParams,
        querystring: noQuery,
        response: plainAnswers('application/octet-stream', 'A tile of C2SP tlog-tiles'),
      },
    },
    async (request, reply) => {
      const tile = await planeOf(request).audit.tile(`tile/${request.params['*']}`)
      return reply
        .type('application/octet-stream')
        .header('cache-control', 'private, max-age=31536000, immutable')
        .send(Buffer.from(tile))
    },
  )

  app.get(
    '/audit/proof/:index',
    {
      schema: {
        tags,
        params: entryParams,
        querystring: proofQuery,
        response: plainAnswers('text/plain', 'A proof (C2SP tlog-proof)'),
      },
    },
    async (request, reply) =>
      reply
        .type('text/plain; charset=utf-8')
        .send(await planeOf(request).audit.prove(request.params.index, request.query.size)),
  )

  app.post(
    '/audit/verify',
    {
      schema: {
        tags,
        querystring: noQuery,
        body: emptyBody,
        response: progressAnswers(auditReport, '`progress` …, then `verified`', auditProgress),
      },
    },
    async (request, reply) => {
      const { audit } = planeOf(request)
      if (!wantsEvents(request)) {
        const verify = (signal: AbortSignal) => audit.verify(() => undefined, signal)
        return auditReportToWire(await forReader(reply, closing, verify))
      }
      return streams.send(reply, (signal) =>
        showProgress(async (onProgress) => {
          const report = await audit.verify(onProgress, signal)
          return { event: 'verified', data: auditReportToWire(report) }
        }),
      )
    },
  )
}

/** The words of a URL as the core has them. */
function auditQueryOf({ agent, execution_id, ...query }: Partial<z.output<typeof auditQuery>>) {
  return { ...query, agentRef: agent, executionId: execution_id }
}

async function* outgoing(entries: AsyncIterable<LoggedEntry>) {
  for await (const one of entries) yield { id: String(one.index), data: loggedEntryToWire(one) }
}

const tags = ['audit']
