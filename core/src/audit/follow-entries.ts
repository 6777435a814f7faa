import { type AuditFilter, type AuditStore, matches, type StoredEntry } from './audit-store.ts'

const pageSize = 256

/**
 * The entries that match, from `from` on or from now, in their order and each once, until the signal
 * is aborted. A slow reader holds nobody up: what it has not read yet is read from the store.
 */
export async function* followEntries(
  audit: AuditStore,
  filter: AuditFilter,
  from: number | undefined,
  signal: AbortSignal,
  pause: () => Promise<void>,
): AsyncGenerator<StoredEntry> {
  let next = from ?? (await audit.size())
  let news = Promise.withResolvers<void>()
  const wake = (): void => news.resolve()
  using _subscription = audit.subscribe(wake)
  signal.addEventListener('abort', wake, { once: true })
  try {
    while (!signal.aborted) {
      const page = await audit.entries(next, pageSize)
      for (const entry of page) {
        next = entry.index + 1
        if (matches(filter, entry)) yield entry
        if (signal.aborted) return
      }
      if (page.length > 0) {
        // Of a million entries that do not match, nobody else shall notice.
        await pause()
        continue
      }
      await news.promise
      news = Promise.withResolvers()
    }
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
