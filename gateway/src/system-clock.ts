import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@aegis/core'

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date().toISOString(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
}
