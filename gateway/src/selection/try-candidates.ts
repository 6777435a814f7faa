import type { Clock } from '@aegis/core'
import { faultDetails } from '../llm-fault.ts'
import { backoffMs } from './backoff.ts'
import type { LatencyRecord } from './latency-record.ts'
import type { Candidate } from './model-catalog.ts'

export interface TryCandidatesDeps {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly latency: LatencyRecord
  readonly random: () => number
  /** Attempts per candidate in all. */
  readonly maxAttempts: number
  readonly retryDelayMs: number
}

/** How far the attempts got; kept by the caller, who wants to know it after a failure, too. */
export interface AttemptLog {
  attempts: number
  candidate: Candidate | undefined
}

export type TryCandidates = <Reply>(
  candidates: readonly Candidate[],
  fallback: Candidate | undefined,
  ask: (candidate: Candidate) => Promise<Reply>,
  log: AttemptLog,
  signal: AbortSignal,
) => Promise<Reply>

/**
 * Asks one candidate after the other, each as often as its failures allow, then `fallback` once.
 * Nothing of an answer may have reached the agent while `ask` can still reject.
 */
export function makeTryCandidates(deps: TryCandidatesDeps): TryCandidates {
  const { clock, latency, random, maxAttempts, retryDelayMs } = deps

  return async function tryCandidates<Reply>(
    candidates: readonly Candidate[],
    fallback: Candidate | undefined,
    ask: (candidate: Candidate) => Promise<Reply>,
    log: AttemptLog,
    signal: AbortSignal,
  ): Promise<Reply> {
    let failure: unknown
    for (const candidate of candidates) {
      for (let attempt = 1; attempt <= maxAttempts; attempt++) {
        try {
          return await measured(candidate, ask, log)
        } catch (error) {
          signal.throwIfAborted()
          failure = error
        }
        const { retryable, retryAfterMs, final } = faultDetails(failure)
        if (final) throw failure
        if (!retryable || attempt === maxAttempts) break
        const waitMs = backoffMs(attempt, retryAfterMs, { baseMs: retryDelayMs, random })
        if (waitMs === undefined) break
        await clock.sleep(waitMs, signal)
      }
    }
    if (fallback === undefined || candidates.some((tried) => isSame(tried, fallback))) throw failure
    return measured(fallback, ask, log)
  }

  async function measured<Reply>(
    candidate: Candidate,
    ask: (candidate: Candidate) => Promise<Reply>,
    log: AttemptLog,
  ): Promise<Reply> {
    log.attempts += 1
    log.candidate = candidate
    const startedMs = clock.monotonicMs()
    const reply = await ask(candidate)
    latency.add(candidate, clock.monotonicMs() - startedMs)
    return reply
  }
}

const isSame = (a: Candidate, b: Candidate): boolean =>
  a.provider === b.provider && a.model === b.model
