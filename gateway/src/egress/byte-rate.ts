import type { Clock } from '@aegis/core'

/** Spreads bytes over time: what comes too fast runs up a debt, and who took it waits it off. */
export interface ByteRate {
  /** Takes what has already come; says how long to wait before there may be more, 0: not at all. */
  take(bytes: number): number
}

/** A token bucket that holds `burstMs` of the rate. */
export function makeByteRate(
  bytesPerSecond: number,
  clock: Pick<Clock, 'monotonicMs'>,
  burstMs = 250,
): ByteRate {
  const perMs = bytesPerSecond / 1000
  const most = perMs * burstMs
  let balance = most
  let lastMs = clock.monotonicMs()
  return {
    take(bytes) {
      const nowMs = clock.monotonicMs()
      balance = Math.min(most, balance + (nowMs - lastMs) * perMs) - bytes
      lastMs = nowMs
      return balance >= 0 ? 0 : Math.ceil(-balance / perMs)
    },
  }
}
