/**
 * What a caller can do about a failure. Each transport maps every kind to its own code once:
 * HTTP status, gRPC status, exit code.
 */
export type ErrorKind =
  | 'invalid' // The input is wrong: mend it and ask again.
  | 'unauthenticated' // No or a wrong token.
  | 'denied' // Known caller, forbidden by policy or configuration.
  | 'not-found' // No such thing, or none that this caller may know of.
  | 'conflict' // The state of the thing does not allow it, or somebody else changed it first.
  | 'exhausted' // A limit of the host or of the configuration is reached: wait or raise it.
  | 'unsupported' // This host or runtime cannot do what was asked.
  | 'unavailable' // A part that is needed does not answer: daemon, provider, engine.
  | 'timeout' // A deadline passed.
  | 'cancelled' // The caller gave up.

export interface AegisErrorOptions {
  readonly cause?: unknown
  /** For the log and for `problem+json` extensions; never holds a secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * A failure that somebody can act on. `code` is stable and searchable (`agent.absent`), `message`
 * may be read by a client and says where, why and what to do next. A bug stays a plain `Error`.
 */
export class AegisError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(kind: ErrorKind, code: string, message: string, options: AegisErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AegisError'
    this.kind = kind
    this.code = code
    this.details = options.details ?? {}
  }
}
