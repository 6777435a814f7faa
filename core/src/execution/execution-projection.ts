import type { DomainEvent, RecordedEvent } from '../kernel/event-store.ts'
import { executionId } from '../kernel/ids.ts'
import type { ExecutionEvent } from './execution-event.ts'
import type { ExecutionSummary, QueuedExecution } from './execution-queries.ts'

/**
 * One execution as a store keeps it: what a user sees and what the queue sorts by. Its status is
 * never `pending`: whether a waiting execution is held back is its agent's doing, so that queries
 * derive it, and pausing an agent rewrites nothing.
 */
export interface ProjectedExecution extends ExecutionSummary, QueuedExecution {
  /** Position of `execution.queued` in the whole store: first come, first served. */
  readonly position: number
}

/**
 * The row after one more event of the execution's stream; `undefined` as long as it was never
 * queued. Every store folds with this, so that their rows cannot differ. Returns `row` itself when
 * the event changes nothing, which most do.
 */
export function projectExecution(
  row: ProjectedExecution | undefined,
  recorded: RecordedEvent<ExecutionEvent>,
): ProjectedExecution | undefined {
  const { event } = recorded
  if (row === undefined) {
    return event.type === 'execution.queued' ? queued(recorded, event) : undefined
  }
  switch (event.type) {
    case 'execution.started':
      return { ...row, status: 'running', startedAt: row.startedAt ?? event.at }
    case 'execution.interrupted':
      return {
        ...row,
        status: 'queued',
        interruptions: row.interruptions + (event.orderly ? 0 : 1),
      }
    case 'execution.iteration-started':
      return { ...row, iterations: Math.max(row.iterations, event.iteration) }
    case 'execution.llm-called':
      return {
        ...row,
        promptTokens: row.promptTokens + event.call.promptTokens,
        completionTokens: row.completionTokens + event.call.completionTokens,
        cost: row.cost + event.call.cost,
      }
    case 'execution.completed':
      return { ...row, status: 'completed', endedAt: event.at, iterations: event.iterations }
    case 'execution.failed':
      return {
        ...row,
        status: 'failed',
        endedAt: event.at,
        iterations: event.iterations,
        failure: event.failure,
      }
    case 'execution.cancelled':
      return { ...row, status: 'cancelled', endedAt: event.at }
    case 'execution.timed-out':
      return {
        ...row,
        status: 'timed_out',
        endedAt: event.at,
        iterations: event.iterations,
        failure: event.failure,
      }
    case 'execution.queued':
    case 'execution.image-pulling':
    case 'execution.image-pulled':
    case 'execution.sandbox-booted':
    case 'execution.console':
    case 'execution.denied':
    case 'execution.name-asked':
    case 'execution.connecting':
    case 'execution.disconnected':
    case 'execution.secret-used':
    case 'execution.sandbox-terminated':
    case 'execution.iteration-completed':
    case 'execution.iteration-failed':
    case 'execution.cancel-requested':
      return row
  }
}

/** Whether this version of AEGIS knows the event as an execution's. */
export const isExecutionEvent = (event: DomainEvent): event is ExecutionEvent =>
  Object.hasOwn(executionEventTypes, event.type)

const executionEventTypes: Readonly<Record<ExecutionEvent['type'], true>> = {
  'execution.queued': true,
  'execution.started': true,
  'execution.image-pulling': true,
  'execution.image-pulled': true,
  'execution.interrupted': true,
  'execution.iteration-started': true,
  'execution.sandbox-booted': true,
  'execution.console': true,
  'execution.llm-called': true,
  'execution.denied': true,
  'execution.name-asked': true,
  'execution.connecting': true,
  'execution.disconnected': true,
  'execution.secret-used': true,
  'execution.sandbox-terminated': true,
  'execution.iteration-completed': true,
  'execution.iteration-failed': true,
  'execution.cancel-requested': true,
  'execution.completed': true,
  'execution.failed': true,
  'execution.cancelled': true,
  'execution.timed-out': true,
}

const queued = (
  { stream, position }: RecordedEvent,
  event: Extract<ExecutionEvent, { readonly type: 'execution.queued' }>,
): ProjectedExecution => ({
  id: executionId(stream.slice('execution-'.length)),
  agentId: event.agentId,
  agentName: event.agentName,
  agentRevision: event.agentRevision,
  status: 'queued',
  priority: event.priority,
  isolation: event.isolation,
  cpuMillicores: event.cpuMillicores,
  memoryBytes: event.memoryBytes,
  queuedAt: event.at,
  startedAt: undefined,
  endedAt: undefined,
  iterations: 0,
  interruptions: 0,
  promptTokens: 0,
  completionTokens: 0,
  cost: 0,
  failure: undefined,
  position,
})
