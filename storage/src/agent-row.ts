import type { ProjectedAgent } from '@aegis/core'
import type { AgentRow } from './store-tables.ts'
import { parseObject } from './stored-event.ts'

export const toAgentRow = (agent: ProjectedAgent): Omit<AgentRow, 'execution_count'> => ({
  id: agent.id,
  name: agent.name,
  version: agent.version,
  description: agent.description,
  status: agent.status,
  labels: JSON.stringify(agent.labels),
  revision: agent.revision,
  created_at: agent.createdAt,
  updated_at: agent.updatedAt,
})

/** @throws AegisError `unavailable` / `store.corrupt` */
export const fromAgentRow = (row: AgentRow, path: string): ProjectedAgent => ({
  id: row.id,
  name: row.name,
  version: row.version,
  description: row.description,
  status: row.status,
  labels: parseObject(row.labels, path, `labels of agent ${row.id}`) as ProjectedAgent['labels'],
  revision: row.revision,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})
