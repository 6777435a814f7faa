import type { ArrivalRate } from './arrival-rate.ts'

export interface PoolDemand {
  /** `advanced.warm_pool_size`: kept whether or not anybody comes. */
  readonly floor: number
  readonly arrivals: ArrivalRate
  /** How long it takes until a sandbox that was taken is replaced. */
  readonly bootMs: number
  /** Never more than this. */
  readonly cap: number
}

/** A single arrival is no stream of them. */
const leastArrivals = 2

/**
 * How many sandboxes should wait. While one boots, λT others arrive on average (Little's law, with
 * the arrival rate λ and the boot time T), and for arrivals at random twice the square root of that
 * on top covers nearly all of the spread (square-root staffing).
 */
export function poolSize({ floor, arrivals, bootMs, cap }: PoolDemand): number {
  const load = arrivals.perMs * bootMs
  const wanted =
    arrivals.count < leastArrivals ? 0 : Math.max(1, Math.ceil(load + 2 * Math.sqrt(load)))
  return Math.min(cap, Math.max(floor, wanted))
}
