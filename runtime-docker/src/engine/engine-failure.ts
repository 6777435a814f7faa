import { AegisError, type ErrorKind } from '@aegis/core'
import type { EngineEndpoint } from './engine-endpoint.ts'

const wordsCharacters = 1000

/** What an engine said when it refused, as `details` of the error. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number
  /** Its own words, disarmed. */
  readonly words: string
}

/** The engine answered, and said no. `code` is `engine.refused`. */
export function engineRefused(request: string, status: number, body: string): AegisError {
  const words = wordsOf(body) || `HTTP status ${status}`
  const refusal: Refusal = { status, words }
  return new AegisError(
    kindOf(status),
    'engine.refused',
    `The Docker engine refused ${request}: ${words}`,
    { details: { ...refusal } },
  )
}

/** The refusal behind an error, if it is one. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof AegisError) || error.code !== 'engine.refused') return undefined
  const { status, words } = error.details
  return typeof status === 'number' && typeof words === 'string' ? { status, words } : undefined
}

/** What the engine says, without what could drive a terminal, and not without end. */
export function disarm(text: string): string {
  return text
    .slice(0, wordsCharacters)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
}

/** No connection, or one that broke. */
export function engineUnreachable(
  { name, ...endpoint }: EngineEndpoint,
  cause: unknown,
): AegisError {
  const { code, message } = faultOf(cause)
  const unix = endpoint.kind === 'unix'
  const because = (): string => {
    if (code === 'ENOENT' && unix)
      return `there is no socket. Start Docker (systemctl start docker), or name its socket: DOCKER_HOST, or spec.runtime.docker_socket_path in the node config`
    if (code === 'EACCES' || code === 'EPERM')
      return `its socket may not be used by this user. Add the user to the group of the socket (usermod -aG docker USER) and log in again, or name a rootless engine by DOCKER_HOST`
    if (code === 'ECONNREFUSED')
      return `nobody listens there. Start Docker (systemctl start docker), or name another engine by DOCKER_HOST`
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return `its name cannot be resolved (${code}). Correct DOCKER_HOST, or mend name resolution`
    if (/CERT|SSL|TLS|EPROTO/.test(code))
      return `TLS failed (${disarm(message)}). Check DOCKER_CERT_PATH: ca.pem must have signed the engine's certificate, which must name this host`
    if (/Parse Error|HPE_/.test(`${code} ${message}`))
      return `what answers there does not speak HTTP; an engine that wants TLS does so too. Use https:// and DOCKER_CERT_PATH`
    return `the connection failed (${disarm(code || message)}). See that Docker runs and is reachable`
  }
  return new AegisError(
    'unavailable',
    'engine.unreachable',
    `The Docker engine at ${name} cannot be reached: ${because()}`,
    { cause, details: { code } },
  )
}

export const isUnreachable = (error: unknown): boolean =>
  error instanceof AegisError &&
  (error.code === 'engine.unreachable' || error.code === 'engine.timeout')

/** It said what no engine says. */
export function engineNonsense(request: string, because: string, cause?: unknown): AegisError {
  return new AegisError(
    'unavailable',
    'engine.answer',
    `The answer of the Docker engine to ${request} cannot be used: ${because}. Is it really a Docker engine?`,
    { cause },
  )
}

export function engineTooSlow(request: string, timeoutMs: number): AegisError {
  return new AegisError(
    'timeout',
    'engine.timeout',
    `The Docker engine did not answer ${request} within ${timeoutMs} ms. It is overloaded or hangs: see its log (journalctl -u docker)`,
  )
}

function wordsOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed)
      return disarm(String(parsed.message))
  } catch {
    // Not all answers are JSON; a proxy's are not.
  }
  return disarm(body)
}

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403) return 'denied'
  if (status === 404) return 'not-found'
  if (status === 409) return 'conflict'
  if (status === 429) return 'exhausted'
  return status < 500 ? 'invalid' : 'unavailable'
}

function faultOf(cause: unknown): { code: string; message: string } {
  if (!(cause instanceof Error)) return { code: '', message: String(cause) }
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  return { code, message: cause.message }
}
