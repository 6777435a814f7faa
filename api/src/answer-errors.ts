import { AegisError, type Logger } from '@aegis/core'
import type { Problem } from '@aegis/http-contract'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { limits } from './limits.ts'
import { bugProblem, problemOf, refusal } from './problem.ts'

export const problemType = 'application/problem+json'

/** Makes every failure an answer of one form. A bug is logged here, once, and told in no words. */
export function answerErrors(app: FastifyInstance, logger: Logger): void {
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, logger))
}

/** The answer to one failed request. */
export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): FastifyReply {
  const known = translate(error)
  if (known !== undefined) return sendProblem(reply, problemOf(known))
  logger.error({ err: error, requestId: request.id, route: request.routeOptions.url }, 'api bug')
  return sendProblem(reply, bugProblem(request.id))
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="aegis"')
  const wait = problem.details?.retry_after_seconds
  if (typeof wait === 'number') reply.header('retry-after', wait)
  // As bytes: fastify would give text a charset, which JSON does not have.
  return reply
    .code(problem.status)
    .type(problemType)
    .send(Buffer.from(JSON.stringify(problem)))
}

/** The AegisError that it is, or that stands for one of fastify's own; undefined for a bug. */
function translate(error: unknown): AegisError | undefined {
  if (error instanceof AegisError) return error
  if (!isFastifyError(error)) return undefined
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refusal(
        'request.body-too-large',
        `The body is larger than ${limits.bodyBytes} bytes, the most that the API takes.`,
      )
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refusal(
        'request.media-type',
        'This Content-Type is not taken here. Send application/json; a manifest may also be application/yaml.',
      )
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refusal('request.malformed', 'The body is not as long as Content-Length says.')
    case 'FST_ERR_BAD_URL':
      return refusal('request.path', 'The path holds a malformed % sequence.')
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return refusal('request.path-too-long', 'A part of the path is longer than any name or id.')
    default:
      return undefined
  }
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'
