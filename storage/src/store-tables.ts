import type {
  AgentId,
  AgentStatus,
  ExecutionId,
  ExecutionStatus,
  Isolation,
  StreamId,
} from '@aegis/core'
import type { Generated } from 'kysely'

/** The tables as `migrations.ts` makes them. */
export interface StoreTables {
  readonly events: EventRow
  readonly removed_streams: { readonly stream: StreamId }
  readonly agents: AgentRow
  readonly agent_revisions: AgentRevisionRow
  readonly executions: ExecutionRow
  readonly audit_entries: AuditEntryRow
  readonly audit_hashes: AuditHashRow
  readonly audit_checkpoints: AuditCheckpointRow
}

export interface EventRow {
  readonly position: Generated<number>
  readonly stream: StreamId
  readonly version: number
  readonly type: string
  readonly at: string
  /** The event without `type` and `at`, as JSON. */
  readonly body: string
}

export interface AgentRow {
  readonly id: AgentId
  readonly name: string
  readonly version: string
  readonly description: string
  readonly status: AgentStatus
  /** JSON. */
  readonly labels: string
  readonly revision: number
  readonly created_at: string
  readonly updated_at: string
  /** Of the executions that are stored; kept by the projector. */
  readonly execution_count: number
  /** JSON of the pinned image. */
  readonly image: string | null
}

export interface AgentRevisionRow {
  readonly agent_id: AgentId
  readonly revision: number
  /** The event that holds the manifest. */
  readonly position: number
}

export interface ExecutionRow {
  /** Position of `execution.queued`. */
  readonly position: number
  readonly id: ExecutionId
  readonly agent_id: AgentId
  readonly agent_name: string
  readonly agent_revision: number
  /** Never `pending`: see `ProjectedExecution`. */
  readonly status: ExecutionStatus
  readonly priority: number
  readonly isolation: Isolation
  readonly cpu_millicores: number
  readonly memory_bytes: number
  readonly queued_at: string
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly iterations: number
  readonly interruptions: number
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cost: number
  /** JSON. */
  readonly failure: string | null
}

/** An entry whose body is kept. */
export interface AuditEntryRow {
  readonly idx: number
  readonly at: string
  readonly type: string
  readonly actor: string | null
  readonly agent_id: string | null
  readonly execution_id: string | null
  /** Canonical JSON in UTF-8. */
  readonly body: Uint8Array
}

/** Level 0: of an entry; above, of 256 hashes of the level below. */
export interface AuditHashRow {
  readonly level: number
  readonly idx: number
  readonly hash: Uint8Array
}

export interface AuditCheckpointRow {
  readonly size: number
  readonly note: string
  readonly key: string
}
