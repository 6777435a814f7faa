import type { PinnedImage } from '../image/image-store.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AgentId } from '../kernel/ids.ts'
import type { AgentStatus } from './agent-event.ts'
import type { AgentManifest } from './agent-manifest.ts'

/** A line of `agent list`. */
export interface AgentSummary {
  readonly id: AgentId
  readonly name: string
  readonly version: string
  readonly description: string
  readonly status: AgentStatus
  readonly labels: Readonly<Record<string, string>>
  /** How often it was deployed: 1 after the first time. */
  readonly revision: number
  readonly createdAt: Instant
  readonly updatedAt: Instant
  readonly executionCount: number
  /** What its current revision runs in. */
  readonly image?: PinnedImage | undefined
}

/** What one deploy fixed. */
export interface AgentRevision {
  readonly manifest: AgentManifest
  readonly image?: PinnedImage | undefined
}

/** Projection of the agents' streams. A removed agent is absent from all of it. */
export interface AgentQueries {
  list(): Promise<readonly AgentSummary[]>
  byId(id: AgentId): Promise<AgentSummary | undefined>
  byName(name: string): Promise<AgentSummary | undefined>
  /** One revision, also of a removed agent while executions refer to it. */
  revision(id: AgentId, revision: number): Promise<AgentRevision | undefined>
}
