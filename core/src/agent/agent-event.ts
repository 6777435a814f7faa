import type { Instant } from '../kernel/clock.ts'
import type { AgentManifest } from './agent-manifest.ts'

/** What happened to an agent. Extended, never edited. */
export type AgentEvent =
  | { readonly type: 'agent.deployed'; readonly manifest: AgentManifest; readonly at: Instant }
  | { readonly type: 'agent.updated'; readonly manifest: AgentManifest; readonly at: Instant }
  | { readonly type: 'agent.paused'; readonly reason?: string | undefined; readonly at: Instant }
  | { readonly type: 'agent.resumed'; readonly at: Instant }
  | { readonly type: 'agent.removed'; readonly at: Instant }

export type AgentStatus = 'active' | 'paused' | 'archived' | 'failed'
