import type { AgentManifest, AgentQueries, AgentSummary } from '@aegis/core'
import type { Kysely } from 'kysely'
import { fromAgentRow } from './agent-row.ts'
import { awaiting } from './sqlite-error.ts'
import type { AgentRow, StoreTables } from './store-tables.ts'
import { parseObject } from './stored-event.ts'

/** `path` is for messages. */
export function makeSqliteAgentQueries(tables: Kysely<StoreTables>, path: string): AgentQueries {
  const agents = tables
    .selectFrom('agents')
    .selectAll()
    .select(({ selectFrom, fn }) =>
      selectFrom('executions')
        .select(fn.countAll<number>().as('count'))
        .whereRef('executions.agent_id', '=', 'agents.id')
        .as('execution_count'),
    )

  const summary = (row: AgentRow & { readonly execution_count: number | null }): AgentSummary => ({
    ...fromAgentRow(row, path),
    executionCount: row.execution_count ?? 0,
  })

  return {
    async list() {
      const rows = await awaiting(path, agents.orderBy('name').execute())
      return rows.map(summary)
    },
    async byId(id) {
      const row = await awaiting(path, agents.where('id', '=', id).executeTakeFirst())
      return row && summary(row)
    },
    async byName(name) {
      const row = await awaiting(path, agents.where('name', '=', name).executeTakeFirst())
      return row && summary(row)
    },
    async manifest(id, revision) {
      const row = await awaiting(
        path,
        tables
          .selectFrom('agent_revisions')
          .innerJoin('events', 'events.position', 'agent_revisions.position')
          .select('events.body')
          .where('agent_revisions.agent_id', '=', id)
          .where('agent_revisions.revision', '=', revision)
          .executeTakeFirst(),
      )
      if (row === undefined) return undefined
      const event = parseObject(row.body, path, `revision ${revision} of agent ${id}`)
      return (event as { readonly manifest: AgentManifest }).manifest
    },
  }
}
