import type { Clock } from '../kernel/clock.ts'

/** Calls `expire` once after `ms`, unless it was disposed before. */
export function startDeadline(clock: Clock, ms: number, expire: () => void): Disposable {
  const settled = new AbortController()
  clock.sleep(ms, settled.signal).then(expire, () => undefined)
  return { [Symbol.dispose]: () => settled.abort() }
}
