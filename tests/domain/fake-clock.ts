import type { Clock } from '@aegis/core'

export interface FakeClock extends Clock {
  /** Lets time pass, and all that was waiting for it happen. */
  advance(ms: number): Promise<void>
}

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** A clock that stands still until a test moves it. */
export function makeFakeClock(): FakeClock {
  const sleepers = new Set<Sleeper>()
  let nowMs = 0
  return {
    now: () => new Date(nowMs).toISOString(),
    monotonicMs: () => nowMs,
    sleep(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const sleeper: Sleeper = { atMs: nowMs + ms, wake: resolve }
      sleepers.add(sleeper)
      const abort = () => {
        sleepers.delete(sleeper)
        reject(signal.reason)
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
      return promise
    },
    async advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const next = [...sleepers].toSorted((a, b) => a.atMs - b.atMs)[0]
        if (next === undefined || next.atMs > untilMs) break
        sleepers.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.wake()
        await settled()
      }
      nowMs = untilMs
      await settled()
    },
  }
}

/** Lets everything happen that waits for nothing outside. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
