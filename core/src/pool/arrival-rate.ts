/** What a sliding window saw. */
export interface ArrivalRate {
  readonly count: number
  readonly perMs: number
}

/** Arrivals that are remembered at most; a rate needs no more. */
const maxArrivals = 256

/** Shortest time that a rate is taken over, so that two at once are no thousand a second. */
const minSpanMs = 1000

/** The arrivals with one more, oldest first. */
export const withArrival = (timesMs: readonly number[], nowMs: number): readonly number[] =>
  [...timesMs, nowMs].slice(-maxArrivals)

/** How many arrivals the last `windowMs` saw, and how fast they came since the first of them. */
export function arrivalRate(
  timesMs: readonly number[],
  nowMs: number,
  windowMs: number,
): ArrivalRate {
  const recent = timesMs.filter((timeMs) => nowMs - timeMs <= windowMs)
  const [first = nowMs] = recent
  return { count: recent.length, perMs: recent.length / Math.max(nowMs - first, minSpanMs) }
}
