import type { Instant } from '../kernel/clock.ts'

/** One fact that must be proven later. It is kept as canonical JSON and never edited. */
export interface AuditEntry {
  readonly at: Instant
  /** What happened, for example `api.called`, `policy.decided` or the type of an event. */
  readonly type: string
  /** Who did it, where somebody is known: the name of a token, or `local`. */
  readonly actor?: string | undefined
  readonly agentId?: string | undefined
  readonly executionId?: string | undefined
  /** The rest, by type; holds no secret, and texts of prompts and answers only as hashes. */
  readonly data: Readonly<Record<string, unknown>>
}

/** Where entries that belong to no event go. Those of events are appended with them. */
export interface AuditTrail {
  /**
   * Durable when it resolves; concurrent calls share a commit. When it rejects, nothing of it was
   * stored, and what it was to record must not happen.
   */
  record(entries: readonly AuditEntry[]): Promise<void>
}
