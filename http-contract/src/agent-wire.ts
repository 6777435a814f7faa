import { type AgentManifest, type AgentSummary, agentId, type DeployResult } from '@aegis/core'
import { z } from 'zod'
import { pinnedImage } from './image-schema.ts'
import { id, instant, labels } from './scalars.ts'

/** Of the body of `POST /api/agents`, where it is a signed note that holds the manifest. */
export const signedManifestType = 'application/vnd.aegis.signed-manifest'

/** `POST /api/agents` */
export const deployResult = z.object({
  agent_id: id,
  revision: z.int().min(1),
  changed: z.boolean(),
  image: pinnedImage.nullable(),
  warnings: z.array(z.string()),
})

/** `GET /api/agents/lookup/:name` */
export const agentLookup = z.object({ id })

/** An entry of `GET /api/agents`. */
export const agentSummary = z.object({
  id,
  name: z.string(),
  version: z.string(),
  description: z.string(),
  status: z.enum(['active', 'paused', 'archived', 'failed']),
  labels,
  revision: z.int().min(1),
  created_at: instant,
  updated_at: instant,
  execution_count: z.int().min(0),
  image: pinnedImage.nullable(),
})

export const agentSummaries = z.array(agentSummary)

export type DeployResultWire = z.infer<typeof deployResult>
export type AgentSummaryWire = z.infer<typeof agentSummary>

export const deployResultToWire = (result: DeployResult): DeployResultWire => ({
  agent_id: result.id,
  revision: result.revision,
  changed: result.changed,
  image: result.image ?? null,
  warnings: [...result.warnings],
})

export const deployResultFromWire = (wire: DeployResultWire): DeployResult => ({
  id: agentId(wire.agent_id),
  revision: wire.revision,
  changed: wire.changed,
  ...(wire.image && { image: wire.image }),
  warnings: wire.warnings,
})

export const agentSummaryToWire = (summary: AgentSummary): AgentSummaryWire => ({
  id: summary.id,
  name: summary.name,
  version: summary.version,
  description: summary.description,
  status: summary.status,
  labels: summary.labels,
  revision: summary.revision,
  created_at: summary.createdAt,
  updated_at: summary.updatedAt,
  execution_count: summary.executionCount,
  image: summary.image ?? null,
})

export const agentSummaryFromWire = (wire: AgentSummaryWire): AgentSummary => ({
  id: agentId(wire.id),
  name: wire.name,
  version: wire.version,
  description: wire.description,
  status: wire.status,
  labels: wire.labels,
  revision: wire.revision,
  createdAt: wire.created_at,
  updatedAt: wire.updated_at,
  executionCount: wire.execution_count,
  ...(wire.image && { image: wire.image }),
})

/** `GET /api/agents/:ref`: the canonical manifest, as the node itself has checked it. */
export const manifest = z.custom<AgentManifest>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'AgentManifest',
)
