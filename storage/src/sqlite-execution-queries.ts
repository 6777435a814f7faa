import type { DatabaseSync } from 'node:sqlite'
import {
  type ExecutionId,
  type ExecutionQueries,
  type ExecutionStatus,
  type ExecutionSummary,
  executionId,
  type QueuedExecution,
} from '@aegis/core'
import { type Kysely, sql } from 'kysely'
import { fromExecutionRow } from './execution-row.ts'
import {
  countsSql,
  pendingSql,
  runningSql,
  shownStatusSql,
  statusFilterSql,
  waitingSql,
} from './execution-sql.ts'
import { prepared, preparedQuery } from './prepared.ts'
import { awaiting, translating } from './sqlite-error.ts'
import type { ExecutionRow, StoreTables } from './store-tables.ts'

export interface SqliteExecutionQueriesDeps {
  readonly database: DatabaseSync
  readonly tables: Kysely<StoreTables>
  /** For messages. */
  readonly path: string
}

export function makeSqliteExecutionQueries({
  database,
  tables,
  path,
}: SqliteExecutionQueriesDeps): ExecutionQueries {
  const queue = prepareQueue(database)
  const rows = tables
    .selectFrom('executions')
    .selectAll()
    .select(sql<ExecutionStatus>`${sql.raw(shownStatusSql)}`.as('shown_status'))
  const byId = preparedQuery(database, rows.where('id', '=', executionId('')))

  return {
    async list({ agentId, status, limit }) {
      let query = rows
      if (agentId !== undefined) query = query.where('agent_id', '=', agentId)
      if (status !== undefined)
        query = query.where(sql<boolean>`${sql.raw(statusFilterSql[status])}`)
      const found = await awaiting(path, query.orderBy('position', 'desc').limit(limit).execute())
      return found.map((row) => toSummary(row, path))
    },
    async byId(id) {
      const row = translating(path, () => byId.get(id))
      return row && toSummary(row, path)
    },
    async nextQueued(limit, except) {
      return translating(path, () => {
        const next: QueuedExecution[] = []
        if (limit <= 0) return next
        for (const waiting of queue.waiting.iterate()) {
          if (except.has(waiting.id)) continue
          // Rows of node:sqlite have no prototype; what leaves here is a plain object.
          next.push({ ...waiting })
          if (next.length >= limit) break
        }
        return next
      })
    },
    async running() {
      return translating(path, () => queue.running.all().map(({ id }) => id))
    },
    async countByStatus() {
      return translating(path, () => {
        const counts = { ...none }
        for (const { status, count } of queue.counts.all()) counts[status] = count
        counts.pending = queue.pending.get()?.count ?? 0
        counts.queued -= counts.pending
        return counts
      })
    },
  }
}

const prepareQueue = (database: DatabaseSync) => ({
  waiting: prepared<QueuedExecution>(database, waitingSql),
  running: prepared<{ readonly id: ExecutionId }>(database, runningSql),
  counts: prepared<{ readonly status: ExecutionStatus; readonly count: number }>(
    database,
    countsSql,
  ),
  pending: prepared<{ readonly count: number }>(database, pendingSql),
})

const none: Readonly<Record<ExecutionStatus, number>> = {
  pending: 0,
  queued: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  timed_out: 0,
}

function toSummary(
  row: ExecutionRow & { readonly shown_status: ExecutionStatus },
  path: string,
): ExecutionSummary {
  const { cpuMillicores, memoryBytes, position, ...summary } = fromExecutionRow(row, path)
  return { ...summary, status: row.shown_status }
}
