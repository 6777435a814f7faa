import { abortable } from '@aegis/sandbox'
import type { EngineClient } from './engine-client.ts'
import { type EngineFacts, readEngineFacts } from './engine-facts.ts'

/** The facts of an engine, asked for when they are needed. */
export interface RememberedFacts {
  /** As they are now. */
  fresh(signal: AbortSignal): Promise<EngineFacts>
  /** As they were a short while ago: a boot does not wait for them. */
  recent(signal: AbortSignal): Promise<EngineFacts>
}

export interface FactsOptions {
  readonly client: EngineClient
  /** The engine has answered. */
  readonly onContact: () => void
  /** Milliseconds of the monotonic clock. */
  readonly nowMs?: () => number
}

/** Older ones are asked for again behind whoever uses them, and yet older ones before. */
const refreshAfterMs = 10_000
const uselessAfterMs = 120_000

export function rememberFacts(options: FactsOptions): RememberedFacts {
  const { client, onContact, nowMs = () => performance.now() } = options
  let asking: Promise<EngineFacts> | undefined
  let known: { readonly facts: EngineFacts; readonly atMs: number } | undefined

  const ask = (): Promise<EngineFacts> => {
    asking ??= readEngineFacts(client, new AbortController().signal)
      .then((facts) => {
        known = { facts, atMs: nowMs() }
        onContact()
        return facts
      })
      .finally(() => {
        asking = undefined
      })
    // Whoever waits hears of it; a refresh behind them need not succeed.
    asking.catch(() => {})
    return asking
  }

  return {
    fresh: (signal) => abortable(ask(), signal),
    async recent(signal) {
      const ageMs = known ? nowMs() - known.atMs : Number.POSITIVE_INFINITY
      if (known === undefined || ageMs > uselessAfterMs) return abortable(ask(), signal)
      if (ageMs > refreshAfterMs) void ask()
      return known.facts
    },
  }
}
