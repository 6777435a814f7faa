import type { Instant } from '../kernel/clock.ts'
import type { AgentId, ExecutionId } from '../kernel/ids.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { ExecutionStatus, Failure } from './execution-event.ts'

/** A line of `task list`, and the head of `task status`. */
export interface ExecutionSummary {
  readonly id: ExecutionId
  readonly agentId: AgentId
  readonly agentName: string
  readonly agentRevision: number
  readonly status: ExecutionStatus
  readonly priority: number
  readonly isolation: Isolation
  readonly queuedAt: Instant
  readonly startedAt: Instant | undefined
  readonly endedAt: Instant | undefined
  readonly iterations: number
  readonly interruptions: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly cost: number
  readonly failure: Failure | undefined
}

/** What the scheduler needs to know of a waiting execution. */
export interface QueuedExecution {
  readonly id: ExecutionId
  readonly agentId: AgentId
  readonly cpuMillicores: number
  readonly memoryBytes: number
  readonly priority: number
}

export interface ExecutionFilter {
  readonly agentId?: AgentId | undefined
  readonly status?: ExecutionStatus | undefined
  /** 1 to 1000. */
  readonly limit: number
}

/** Projection of the executions' streams; also the queue, since waiting is a status. */
export interface ExecutionQueries {
  /** Newest first. */
  list(filter: ExecutionFilter): Promise<readonly ExecutionSummary[]>
  byId(id: ExecutionId): Promise<ExecutionSummary | undefined>
  /**
   * The head of the queue: highest priority first, then first come, first served; without those
   * whose agent is paused. At most `limit`, skipping `except`.
   */
  nextQueued(limit: number, except: ReadonlySet<ExecutionId>): Promise<readonly QueuedExecution[]>
  /** Those that a crashed daemon left as running. */
  running(): Promise<readonly ExecutionId[]>
  countByStatus(): Promise<Readonly<Record<ExecutionStatus, number>>>
}
