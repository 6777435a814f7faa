import { setImmediate } from 'node:timers/promises'
import type { Clock, Logger } from '@aegis/core'
import { type AuditStore, bodiesDropped, tileWidth } from '@aegis/core/audit'

export interface RetentionOptions {
  readonly store: AuditStore
  readonly retentionMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Bundles that one transaction empties: bounds how long others wait. */
const bundlesAtOnce = 32
const everyMs = 3_600_000

/**
 * Drops the bodies of entries that are older than the retention, now and every hour: in whole
 * bundles, the oldest first. Their hashes stay, and the log says how far it went.
 */
export function startRetention(options: RetentionOptions): AsyncDisposable {
  const { clock, logger } = options
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const dropped = await dropOldBodies(options, stopping.signal)
        if (dropped > 0) logger.info({ dropped }, 'dropped bodies of the audit by its retention')
      } catch (error) {
        logger.error({ err: error }, 'the retention of the audit failed')
      }
      await clock.sleep(everyMs, stopping.signal).catch(() => undefined)
    }
  }
  const over = run()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await over
    },
  }
}

/** Drops what is old now. How many bodies went. */
export async function dropOldBodies(
  { store, retentionMs, clock }: Omit<RetentionOptions, 'logger'>,
  signal: AbortSignal,
): Promise<number> {
  const cutoff = new Date(Date.parse(clock.now()) - retentionMs).toISOString()
  let dropped = 0
  while (!signal.aborted) {
    const from = await store.firstKept()
    const before = await oldUntil(store, from, cutoff)
    if (before <= from) break
    const data = { before, olderThan: cutoff }
    await store.dropBodies(before, { at: clock.now(), type: bodiesDropped, data })
    dropped += before - from
    await setImmediate()
  }
  return dropped
}

/** The end of the last whole bundle, of those that come next, all of whose entries are old. */
async function oldUntil(store: AuditStore, from: number, cutoff: string): Promise<number> {
  let before = from
  for (let count = 0; count < bundlesAtOnce; count += 1) {
    const end = (Math.floor(before / tileWidth) + 1) * tileWidth
    const bundle = await store.entries(before, end - before)
    const isWhole = bundle.length === end - before && bundle.at(-1)?.index === end - 1
    if (!isWhole || bundle.some(({ keys }) => keys.at >= cutoff)) break
    before = end
  }
  return before
}
