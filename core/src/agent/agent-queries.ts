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
}

/** Projection of the agents' streams. A removed agent is absent from all of it. */
export interface AgentQueries {
  list(): Promise<readonly AgentSummary[]>
  byId(id: AgentId): Promise<AgentSummary | undefined>
  byName(name: string): Promise<AgentSummary | undefined>
  /** The manifest of one revision, also of a removed agent while executions refer to it. */
  manifest(id: AgentId, revision: number): Promise<AgentManifest | undefined>
}
