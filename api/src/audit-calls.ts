import { Readable } from 'node:stream'
import {
  AegisError,
  type AuditEntry,
  type AuditTrail,
  apiCalled,
  type Clock,
  type Logger,
} from '@aegis/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { problemType } from './answer-errors.ts'
import { accessOf } from './authorization.ts'
import { callOf } from './call.ts'
import { makeRefusalCount } from './count-refusals.ts'
import { problemOf } from './problem.ts'

export interface AuditCallsOptions {
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly logger: Logger
}

/** Calls that may wait for their entry at once; with more the audit is too far behind. */
const maxBehind = 1000

/**
 * Records every call but those of open routes, when it is about to be answered; of an event stream,
 * when it begins. For one that may change something the answer waits until it is recorded, and
 * without a record it is an error. Of many that are turned away only some are recorded one by one,
 * and the rest by their number.
 */
export function auditCalls(
  app: FastifyInstance,
  { audit, clock, logger }: AuditCallsOptions,
): void {
  const behind = new Set<Promise<void>>()
  const later = (entry: AuditEntry): void => {
    const recorded = audit
      .record([entry])
      .catch((error: unknown) => {
        logger.error({ err: error, entry }, 'an api call was not recorded in the audit')
      })
      .finally(() => behind.delete(recorded))
    behind.add(recorded)
  }
  const refusals = makeRefusalCount({ clock, record: later })

  app.addHook('onRequest', async (request) => {
    if (behind.size < maxBehind || isOpen(request)) return
    throw new AegisError(
      'unavailable',
      'audit.behind',
      'The audit cannot keep up, and without it nothing is served. Ask again later; the log of the node says more.',
    )
  })

  // Not once it was answered: whoever hangs up early would not be in the audit.
  app.addHook('onSend', async (request, reply, payload) => {
    const call = callOf(request)
    if (call.isRecorded || isOpen(request)) return payload
    call.isRecorded = true
    const entry = entryOf(request, reply, clock)
    if (call.caller === undefined) refusals.count(request.ip, entry)
    else if (request.method === 'GET') later(entry)
    else {
      try {
        await audit.record([entry])
      } catch (error) {
        logger.error({ err: error, entry }, 'an api call was not recorded in the audit')
        // A full disk, say, is what the answer tells of already, and what to do.
        if (reply.statusCode >= 400 && isExhausted(error)) return payload
        if (payload instanceof Readable) payload.destroy()
        return unrecorded(reply)
      }
    }
    return payload
  })

  app.addHook('onClose', async () => {
    await refusals[Symbol.asyncDispose]()
    await Promise.all(behind)
  })
}

/** In place of an answer that was already made. */
function unrecorded(reply: FastifyReply): Buffer {
  const problem = problemOf(
    new AegisError(
      'unavailable',
      'audit.failed',
      'The call could not be recorded in the audit, so it is not confirmed. See whether it took effect before you repeat it; the log of the node says what failed.',
    ),
  )
  reply.code(problem.status).type(problemType).removeHeader('content-length')
  return Buffer.from(JSON.stringify(problem))
}

const isExhausted = (error: unknown): boolean =>
  error instanceof AegisError && error.kind === 'exhausted'

const isOpen = ({ method, routeOptions: { url } }: FastifyRequest): boolean =>
  url !== undefined && accessOf(method, url) === 'open'

function entryOf(request: FastifyRequest, reply: FastifyReply, clock: Clock): AuditEntry {
  const { actor, action, resource, agentId, executionId, refused, claimed } = callOf(request)
  const { url } = request.routeOptions
  const { id } = Object(request.params)
  return apiCalled({
    at: clock.now(),
    via: 'http',
    actor,
    action,
    resource,
    agentId,
    executionId: executionId ?? (url?.includes('/executions/:id') ? String(id) : undefined),
    data: {
      method: request.method,
      route: url ?? 'unknown',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      request_id: request.id,
      address: request.ip,
      refused,
      because: claimed?.because,
      claimed_token_id: claimed?.tokenId,
      claimed_name: claimed?.name,
    },
  })
}
