import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '@aegis/core'

/** Longest delay a timer of Node takes; longer ones would fire at once. */
const maxTimerMs = 2_147_483_647

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date().toISOString(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(Math.min(ms, maxTimerMs), undefined, { signal }),
}
