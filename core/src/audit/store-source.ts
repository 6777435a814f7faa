import type { AuditStore, StoredEntry } from './audit-store.ts'
import type { FoundBody } from './check-bundle.ts'
import { tileWidth } from './tile.ts'
import type { LogSource } from './verify-log.ts'

/** The log of a store as it is at this size, for whoever looks it over. */
export const storeSource = (store: AuditStore, size: number): LogSource => ({
  size,
  tile: (tile) => store.tile(tile),
  async bundle(index, width) {
    const first = index * tileWidth
    const isLast = first + width === size
    // One more at either end, where none belongs.
    const rows = await store.entries(first === 0 ? Number.MIN_SAFE_INTEGER : first, width + 2)
    // Read later: a log that goes on meanwhile has more entries, and those belong to it.
    const end = isLast ? await store.size() : size
    const bodies: (FoundBody | undefined)[] = Array.from({ length: width }, () => undefined)
    const surplus: number[] = []
    for (const row of rows) {
      const offset = row.index - first
      if (offset >= 0 && offset < width) bodies[offset] = bodyOf(row)
      else if (offset < 0 || (isLast && row.index >= end)) surplus.push(row.index)
    }
    return { bodies, surplus }
  },
})

const bodyOf = ({ body, keys }: StoredEntry): FoundBody => ({ body, keys })
