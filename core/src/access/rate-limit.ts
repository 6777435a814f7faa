import type { Clock } from '../kernel/clock.ts'

/** Lets each of many callers do something so often a minute. */
export interface RateLimit {
  /** Zero, and it counts; or, when that is too often, how long to wait. */
  take(key: string): number
}

interface Options {
  readonly perMinute: number
  /** The callers that are remembered; who was not seen for longest is forgotten first. */
  readonly maxKeys: number
  readonly clock: Pick<Clock, 'monotonicMs'>
}

interface Bucket {
  readonly tokens: number
  readonly atMs: number
}

const minuteMs = 60_000

/**
 * A bucket for each caller. It holds what is permitted in a minute and fills evenly, so that a burst
 * is fine and a stream is not.
 */
export function makeRateLimit({ perMinute, maxKeys, clock }: Options): RateLimit {
  const buckets = new Map<string, Bucket>()
  const msPerToken = minuteMs / perMinute

  return {
    take(key) {
      const nowMs = clock.monotonicMs()
      const { tokens, atMs } = buckets.get(key) ?? { tokens: perMinute, atMs: nowMs }
      const filled = Math.min(perMinute, tokens + (nowMs - atMs) / msPerToken)
      const isFree = filled >= 1
      // Behind all others, as the one that was seen last.
      buckets.delete(key)
      buckets.set(key, { tokens: isFree ? filled - 1 : filled, atMs: nowMs })
      const [oldest] = buckets.keys()
      if (buckets.size > maxKeys && oldest !== undefined) buckets.delete(oldest)
      return isFree ? 0 : Math.ceil((1 - filled) * msPerToken)
    },
  }
}
