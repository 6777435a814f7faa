import type { DatabaseSync } from 'node:sqlite'
import {
  type AgentQueries,
  type AgentRevision,
  type AgentSummary,
  agentId,
  completeManifest,
} from '@aegis/core'
import type { Kysely } from 'kysely'
import { fromAgentRow } from './agent-row.ts'
import { preparedQuery } from './prepared.ts'
import { translating } from './sqlite-error.ts'
import type { AgentRow, StoreTables } from './store-tables.ts'
import { parseObject } from './stored-event.ts'

export interface SqliteAgentQueriesDeps {
  readonly database: DatabaseSync
  readonly tables: Kysely<StoreTables>
  /** For messages. */
  readonly path: string
}

export function makeSqliteAgentQueries({
  database,
  tables,
  path,
}: SqliteAgentQueriesDeps): AgentQueries {
  const agents = tables.selectFrom('agents').selectAll()
  const all = preparedQuery(database, agents.orderBy('name'))
  const byId = preparedQuery(database, agents.where('id', '=', agentId('')))
  const byName = preparedQuery(database, agents.where('name', '=', ''))
  const revision = preparedQuery(
    database,
    tables
      .selectFrom('agent_revisions')
      .innerJoin('events', 'events.position', 'agent_revisions.position')
      .select('events.body')
      .where('agent_revisions.agent_id', '=', agentId(''))
      .where('agent_revisions.revision', '=', 0),
  )

  const summary = (row: AgentRow): AgentSummary => ({
    ...fromAgentRow(row, path),
    executionCount: row.execution_count,
  })

  return {
    async list() {
      return translating(path, () => all.all().map(summary))
    },
    async byId(id) {
      const row = translating(path, () => byId.get(id))
      return row && summary(row)
    },
    async byName(name) {
      const row = translating(path, () => byName.get(name))
      return row && summary(row)
    },
    async revision(id, number) {
      const row = translating(path, () => revision.get(id, number))
      if (row === undefined) return undefined
      const event = parseObject(row.body, path, `revision ${number} of agent ${id}`)
      const { manifest, image } = event as AgentRevision
      return { manifest: completeManifest(manifest), ...(image && { image }) }
    },
  }
}
