/** The time, passed in: core never asks the machine. */
export interface Clock {
  /** Now, RFC 3339 in UTC with milliseconds: `2026-11-22T15:04:05.123Z`. */
  now(): Instant
  /** Milliseconds on a clock that never goes back; only differences mean something. */
  monotonicMs(): number
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** An RFC 3339 time in UTC with milliseconds. */
export type Instant = string
