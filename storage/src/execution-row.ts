import type { Failure, ProjectedExecution } from '@aegis/core'
import type { ExecutionRow } from './store-tables.ts'
import { parseObject } from './stored-event.ts'

export const toExecutionRow = (execution: ProjectedExecution): ExecutionRow => ({
  position: execution.position,
  id: execution.id,
  agent_id: execution.agentId,
  agent_name: execution.agentName,
  agent_revision: execution.agentRevision,
  status: execution.status,
  priority: execution.priority,
  isolation: execution.isolation,
  cpu_millicores: execution.cpuMillicores,
  memory_bytes: execution.memoryBytes,
  queued_at: execution.queuedAt,
  started_at: execution.startedAt ?? null,
  ended_at: execution.endedAt ?? null,
  iterations: execution.iterations,
  interruptions: execution.interruptions,
  prompt_tokens: execution.promptTokens,
  completion_tokens: execution.completionTokens,
  cost: execution.cost,
  failure: execution.failure === undefined ? null : JSON.stringify(execution.failure),
})

/** @throws AegisError `unavailable` / `store.corrupt` */
export const fromExecutionRow = (row: ExecutionRow, path: string): ProjectedExecution => ({
  position: row.position,
  id: row.id,
  agentId: row.agent_id,
  agentName: row.agent_name,
  agentRevision: row.agent_revision,
  status: row.status,
  priority: row.priority,
  isolation: row.isolation,
  cpuMillicores: row.cpu_millicores,
  memoryBytes: row.memory_bytes,
  queuedAt: row.queued_at,
  startedAt: row.started_at ?? undefined,
  endedAt: row.ended_at ?? undefined,
  iterations: row.iterations,
  interruptions: row.interruptions,
  promptTokens: row.prompt_tokens,
  completionTokens: row.completion_tokens,
  cost: row.cost,
  failure:
    row.failure === null
      ? undefined
      : (parseObject(row.failure, path, `failure of execution ${row.id}`) as Failure),
})
