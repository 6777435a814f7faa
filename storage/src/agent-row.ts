import type { PinnedImage, ProjectedAgent } from '@aegis/core'
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
  image: agent.image === undefined ? null : JSON.stringify(agent.image),
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
  ...(row.image === null ? {} : { image: imageOf(row.image, row.id, path) }),
})

const imageOf = (json: string, id: string, path: string): PinnedImage =>
  parseObject(json, path, `image of agent ${id}`) as unknown as PinnedImage
