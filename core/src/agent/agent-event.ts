import type { PinnedImage } from '../image/image-store.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AgentManifest } from './agent-manifest.ts'

/** What happened to an agent. Extended, never edited. */
export type AgentEvent =
  | {
      /** First deploy, or the first one after a removal: ids follow from names. */
      readonly type: 'agent.deployed'
      readonly manifest: AgentManifest
      /** Counts all deploys under this id, also across a removal: 1, 2, 3 … */
      readonly revision: number
      /** What it runs in, for runtimes that boot from images. */
      readonly image?: PinnedImage | undefined
      readonly at: Instant
    }
  | {
      readonly type: 'agent.updated'
      readonly manifest: AgentManifest
      readonly revision: number
      readonly image?: PinnedImage | undefined
      readonly at: Instant
    }
  | { readonly type: 'agent.paused'; readonly reason?: string | undefined; readonly at: Instant }
  | { readonly type: 'agent.resumed'; readonly at: Instant }
  | { readonly type: 'agent.removed'; readonly at: Instant }

export type AgentStatus = 'active' | 'paused' | 'archived' | 'failed'
