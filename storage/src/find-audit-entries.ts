import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { AuditFilter, StoredEntry } from '@aegis/core/audit'
import { fromAuditRow } from './audit-row.ts'
import { prepared } from './prepared.ts'
import type { AuditEntryRow } from './store-tables.ts'

/** How many entries one turn of the event loop looks at. */
const windowSize = 8192

/** Looks entries up, newest first. `size` is that of the log. */
export function makeFindAuditEntries(database: DatabaseSync) {
  const statements = {
    window: prepared<AuditEntryRow>(
      database,
      `select * from audit_entries where idx >= ? and idx < ? and ${conditions}
       order by idx desc limit ?`,
    ),
    ofExecution: prepared<AuditEntryRow>(
      database,
      `select * from audit_entries
       where execution_id = ? and execution_id is not null and idx < ? and ${conditions}
       order by idx desc limit ?`,
    ),
    first: prepared<{ readonly idx: number }>(
      database,
      'select idx from audit_entries order by idx limit 1',
    ),
  }

  return async (
    filter: AuditFilter,
    limit: number,
    size: number,
    signal: AbortSignal,
  ): Promise<readonly StoredEntry[]> => {
    const values = valuesOf(filter)
    const end = Math.min(filter.before ?? size, size)
    if (filter.executionId !== undefined) {
      return statements.ofExecution.all(filter.executionId, end, ...values, limit).map(fromAuditRow)
    }
    const first = statements.first.get()?.idx ?? end
    const found: StoredEntry[] = []
    for (let before = end; before > first && found.length < limit; before -= windowSize) {
      signal.throwIfAborted()
      const from = Math.max(first, before - windowSize)
      const rows = statements.window.all(from, before, ...values, limit - found.length)
      found.push(...rows.map(fromAuditRow))
      await setImmediate()
    }
    return found
  }
}

const conditions = `
  (? is null or type = ?)
  and (? is null or substr(type, 1, length(?)) = ?)
  and (? is null or actor = ?)
  and (? is null or agent_id = ?)
  and (? is null or at >= ?)
  and (? is null or at < ?)`

function valuesOf({ type, actor, agentId, since, until }: AuditFilter): (string | null)[] {
  const prefix = type?.endsWith('*') ? type.slice(0, -1) : null
  const exact = prefix === null ? (type ?? null) : null
  const twice = [exact, prefix, actor ?? null, agentId ?? null, since ?? null, until ?? null]
  return twice.flatMap((value, place) => (place === 1 ? [value, value, value] : [value, value]))
}
