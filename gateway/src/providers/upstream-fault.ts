import { AegisError, type ErrorKind } from '@aegis/core'
import { type FaultDetails, llmFault, oneLine } from '../llm-fault.ts'

/** A provider's answer other than success. */
export interface UpstreamStatus {
  readonly provider: string
  readonly model: string
  readonly status: number
  /** As it came, without keys. */
  readonly body: string
  readonly retryAfterMs: number | undefined
}

/** What a provider's status means for the agent, for another attempt, and for the operator. */
export function statusFault(upstream: UpstreamStatus): AegisError {
  const { provider, model, status, retryAfterMs } = upstream
  const { message, code } = reasonIn(upstream.body)
  const said = `Provider "${provider}" answered ${status}${message === '' ? '' : `: ${message}`}`
  const fault = (kind: ErrorKind, faultCode: string, text: string, details: FaultDetails) =>
    llmFault(kind, faultCode, text, { providerCode: code, ...details })

  if (status === 401 || status === 403) {
    // Its words may quote the key, or a part of it.
    const text =
      `Provider "${provider}" refused this node's credentials (${status}). The operator checks ` +
      "api_key of this provider in the node config, and the account's rights."
    return llmFault('unavailable', 'llm.provider-auth', text, { status: 502 })
  }
  if (status === 404) {
    const text = `Provider "${provider}" has no model "${model}", or its endpoint is wrong. ${said}`
    return fault('not-found', 'llm.model-absent', text, {})
  }
  if (status === 429) {
    const spent = code === 'insufficient_quota'
    return fault('exhausted', 'llm.rate-limited', said, { retryAfterMs, retryable: !spent })
  }
  if (status === 408 || status === 409 || status === 425 || status >= 500) {
    const passed = status === 503 || status === 529 ? status : 502
    const details = { status: passed, retryAfterMs, retryable: true }
    return fault('unavailable', 'llm.provider-error', said, details)
  }
  if (status >= 400) {
    return fault('invalid', 'llm.provider-refused', said, { status, final: true })
  }
  const text = `${said}. The operator checks the endpoint of this provider in the node config.`
  return fault('unavailable', 'llm.protocol', text, {})
}

const timeouts = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT']

/** A connection that failed, or an answer that broke off. The address stays in the log. */
export function networkFault(provider: string, cause: unknown): AegisError {
  if (cause instanceof AegisError) return cause
  const code = codeOf(cause)
  const why = code === undefined ? '' : ` (${code})`
  if (code !== undefined && timeouts.includes(code)) {
    const text = `Provider "${provider}" did not answer in time${why}.`
    return llmFault('timeout', 'llm.provider-timeout', text, { retryable: true }, cause)
  }
  const text =
    `Provider "${provider}" cannot be reached, or broke off${why}. ` +
    'The operator checks that it runs, and its endpoint in the node config.'
  return llmFault('unavailable', 'llm.provider-unreachable', text, { retryable: true }, cause)
}

/** The first code of an error and its causes that names a reason, such as `ECONNREFUSED`. */
function codeOf(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 4) return undefined
  if ('code' in error && typeof error.code === 'string' && /^[A-Z0-9_]{2,64}$/.test(error.code)) {
    return error.code
  }
  return codeOf(error.cause, depth + 1)
}

/** All protocols put their reason in `error`: as a text, or as an object with a message. */
function reasonIn(body: string): { message: string; code: string | undefined } {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return { message: '', code: undefined }
  }
  const error = field(value, 'error') ?? value
  const message = typeof error === 'string' ? error : field(error, 'message')
  const code = field(error, 'code') ?? field(error, 'type')
  return {
    message: typeof message === 'string' ? oneLine(message) : '',
    code: typeof code === 'string' ? code.slice(0, 64) : undefined,
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined
