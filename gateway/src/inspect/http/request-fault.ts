import type { ServerResponse } from 'node:http'
import { AegisError, type ErrorKind, type PolicyDecision } from '@aegis/core'

/** What a client is told of a refused request, beside code and message. */
export interface FaultFacts {
  /** Absent: by kind. */
  readonly status?: number
  /** What would make it work. */
  readonly remedy?: string
  readonly policies?: readonly string[]
  /** To be told to the record by whoever answers it. */
  readonly record?: 'network.connect' | 'secret.use'
  readonly cause?: unknown
}

/** A request that is not passed on, or could not be. */
export function requestFault(
  kind: ErrorKind,
  code: string,
  message: string,
  { cause, ...details }: FaultFacts = {},
): AegisError {
  return new AegisError(kind, code, message, {
    details,
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What the policy said to a request that it does not permit; already recorded. */
export const deniedByPolicy = (
  area: 'egress' | 'secret',
  { because, policies }: PolicyDecision,
): AegisError =>
  requestFault('denied', `${area}.${policies.length > 0 ? 'forbidden' : 'no-rule'}`, because, {
    policies,
    remedy:
      "The agent's manifest permits requests in spec.security.network; the operator's policies can narrow it. `aegis policy explain` tells which one spoke.",
  })

export interface FaultAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** The answer to whoever sent it, for programs to read. A bug gives no words. */
export function faultAnswer(error: unknown): FaultAnswer {
  const known = error instanceof AegisError ? error : internal()
  const { status, remedy, policies } = known.details as FaultFacts
  const body = Buffer.from(
    JSON.stringify({ error: known.message, code: known.code, policies, remedy }),
  )
  return {
    status: status ?? statusOf(known.kind),
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      'proxy-status': `aegis; error=${proxyErrorOf(known.kind)}; details="${known.code}"`,
    },
    body,
  }
}

/** Answers with a fault; only before anything else was sent. `last`: the connection ends with it. */
export function sendFault(outgoing: ServerResponse, error: unknown, last: boolean): void {
  const { status, headers, body } = faultAnswer(error)
  outgoing.writeHead(status, { ...headers, ...(last && { connection: 'close' }) })
  outgoing.end(body)
}

const internal = (): AegisError =>
  requestFault(
    'unavailable',
    'internal',
    'The gateway failed; the log of the AEGIS daemon says why.',
    {
      status: 500,
    },
  )

/** RFC 9209, 2.3. */
function proxyErrorOf(kind: ErrorKind): string {
  switch (kind) {
    case 'denied':
      return 'http_request_denied'
    case 'unavailable':
      return 'destination_unavailable'
    case 'timeout':
      return 'connection_timeout'
    case 'exhausted':
      return 'connection_limit_reached'
    default:
      return 'http_request_error'
  }
}

function statusOf(kind: ErrorKind): number {
  switch (kind) {
    case 'denied':
      return 403
    case 'exhausted':
      return 429
    case 'unsupported':
      return 501
    case 'unavailable':
    case 'cancelled':
      return 502
    case 'timeout':
      return 504
    default:
      return 400
  }
}
