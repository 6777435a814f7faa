import type { StoredEntry } from '@aegis/core/audit'
import type { AuditEntryRow } from './store-tables.ts'

export const fromAuditRow = (row: AuditEntryRow): StoredEntry => ({
  index: row.idx,
  body: row.body,
  keys: {
    at: row.at,
    type: row.type,
    actor: row.actor ?? undefined,
    agentId: row.agent_id ?? undefined,
    executionId: row.execution_id ?? undefined,
  },
})
