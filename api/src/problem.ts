import { STATUS_CODES } from 'node:http'
import { AegisError } from '@aegis/core'
import { type Problem, statusByKind } from '@aegis/http-contract'

/** Failures of HTTP itself: the statuses that clients of HTTP expect, more exact than the kind's. */
const statusByCode: Readonly<Record<string, number>> = {
  'request.malformed': 400,
  'request.path': 400,
  'request.query': 400,
  'request.headers': 400,
  'request.body-malformed': 400,
  'request.method': 405,
  'request.slow': 408,
  'request.body-too-large': 413,
  'request.path-too-long': 414,
  'request.media-type': 415,
  'request.host': 421,
  'request.headers-too-large': 431,
}

/** An error as RFC 9457 shows it. */
export function problemOf(error: AegisError): Problem {
  const { problems, ...details } = error.details
  const status = statusByCode[error.code] ?? statusByKind[error.kind]
  return {
    type: `urn:aegis:error:${error.code}`,
    title: STATUS_CODES[status] ?? 'Client Closed Request',
    status,
    detail: error.message,
    kind: error.kind,
    code: error.code,
    error: error.message,
    ...(Array.isArray(problems) ? { problems } : {}),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  }
}

/** A bug: no words to the client but where to look. */
export const bugProblem = (requestId: string): Problem => ({
  type: 'urn:aegis:error:internal',
  title: 'Internal Server Error',
  status: 500,
  detail: `The node failed in a way it should not. Its log has the reason under request ${requestId}.`,
  instance: `urn:uuid:${requestId}`,
  code: 'internal',
  error: 'Internal error',
})

/** A request that the API turns down before anybody else sees it. */
export const refusal = (
  code: keyof typeof statusByCode & `request.${string}`,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): AegisError =>
  new AegisError(
    code === 'request.host' ? 'denied' : 'invalid',
    code,
    message,
    details === undefined ? {} : { details },
  )
