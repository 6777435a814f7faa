import type { AuditEntry, Clock } from '@aegis/core'

/** Keeps those who are turned away from filling the audit. */
export interface RefusalCount extends AsyncDisposable {
  /** Records the refusal, or, when there are too many from this address, only counts it. */
  count(address: string, entry: AuditEntry): void
}

interface Options {
  readonly clock: Clock
  readonly record: (entry: AuditEntry) => void
}

/** Refusals of one address that are recorded one by one in each period. */
export const refusalsPerPeriod = 5
export const refusalPeriodMs = 1000
/** More of them in one period are counted as one. */
const maxAddresses = 1000
const others = 'others'

/**
 * The first refusals of each address in a second are recorded as they are; how many came behind them
 * is recorded when the second is over.
 */
export function makeRefusalCount({ clock, record }: Options): RefusalCount {
  const counts = new Map<string, number>()
  const closing = new AbortController()
  let period: Promise<void> | undefined

  const flush = (): void => {
    period = undefined
    for (const [address, number] of counts) {
      const more = number - refusalsPerPeriod
      if (more <= 0) continue
      const data = { via: 'http', address, count: more }
      record({ at: clock.now(), type: 'api.refused', data })
    }
    counts.clear()
  }

  return {
    count(address, entry) {
      period ??= clock.sleep(refusalPeriodMs, closing.signal).then(flush, flush)
      const key = counts.has(address) || counts.size < maxAddresses ? address : others
      const number = (counts.get(key) ?? 0) + 1
      counts.set(key, number)
      if (number <= refusalsPerPeriod) record(entry)
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await period
    },
  }
}
