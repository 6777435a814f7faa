import { AegisError, type ErrorKind } from '@aegis/core'
import { limits } from './limits.ts'

/** What the gateway must know of a failed call beside its kind. */
export interface FaultDetails {
  /** Status the agent gets; absent: by kind. */
  readonly status?: number
  /** How long the provider asked to wait. */
  readonly retryAfterMs?: number | undefined
  /** The same request may succeed when it is sent again. */
  readonly retryable?: boolean
  /** The request itself is at fault, so that no other provider will take it either. */
  readonly final?: boolean
  /** The provider's own words for it, in its dialect. */
  readonly providerCode?: string | undefined
}

/** A failure on the way to a model; `details` says how to go on. */
export function llmFault(
  kind: ErrorKind,
  code: string,
  message: string,
  details: FaultDetails = {},
  cause?: unknown,
): AegisError {
  return new AegisError(kind, code, message, {
    details: { ...details },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** A failure that a provider reports in the middle of its stream, in its own words. */
export function reportedFault(said: unknown, providerCode?: string): AegisError {
  const reason = typeof said === 'string' ? oneLine(said) : ''
  const message = `The provider broke off its answer: ${reason || 'no reason given'}`
  const overloaded = providerCode === 'overloaded_error' ? { status: 529 } : {}
  const details = { retryable: true, providerCode, ...overloaded }
  return llmFault('unavailable', 'llm.provider-error', message, details)
}

/** A foreign text, short and without control characters. */
export const oneLine = (text: string): string =>
  text
    .slice(0, limits.errorChars)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()

/** A failure as an agent is told of it. */
export interface Fault {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly providerCode?: string | undefined
  readonly retryAfterMs?: number | undefined
  readonly retryable: boolean
}

/** What an agent may know of `error`: a bug gives it no words. */
export function describeFault(error: unknown): Fault {
  if (!(error instanceof AegisError)) {
    return {
      status: 500,
      code: 'internal',
      message: 'The gateway failed; the log of the AEGIS daemon says why.',
      retryable: false,
    }
  }
  const details: FaultDetails = error.details
  return {
    status: details.status ?? statusOf(error.kind),
    code: error.code,
    message: error.message,
    providerCode: details.providerCode,
    retryAfterMs: details.retryAfterMs,
    retryable: details.retryable ?? false,
  }
}

/** How a failed call goes on. */
export const faultDetails = (error: unknown): FaultDetails =>
  error instanceof AegisError ? error.details : {}

function statusOf(kind: ErrorKind): number {
  switch (kind) {
    case 'invalid':
      return 400
    case 'unauthenticated':
      return 401
    case 'denied':
      return 403
    case 'not-found':
      return 404
    case 'conflict':
      return 409
    case 'exhausted':
      return 429
    case 'cancelled':
      return 499
    case 'unsupported':
      return 501
    case 'unavailable':
      return 502
    case 'timeout':
      return 504
  }
}

/** Whole seconds to wait, for a `Retry-After` header. */
export const faultSeconds = ({ retryAfterMs }: Fault): number | undefined =>
  retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000)
