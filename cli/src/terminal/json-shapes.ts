import type {
  AgentSummary,
  ExecutionDetail,
  ExecutionSummary,
  Failure,
  NodeStatus,
  VersionedEvent,
} from '@aegis/core'

// What `--json` prints: the names of the HTTP API, so that a script can go from one to the other.

export const agentJson = (agent: AgentSummary) => ({
  id: agent.id,
  name: agent.name,
  version: agent.version,
  description: agent.description,
  status: agent.status,
  labels: agent.labels,
  revision: agent.revision,
  created_at: agent.createdAt,
  updated_at: agent.updatedAt,
  execution_count: agent.executionCount,
})

export const executionJson = (execution: ExecutionSummary) => ({
  id: execution.id,
  agent_id: execution.agentId,
  agent_name: execution.agentName,
  agent_revision: execution.agentRevision,
  status: execution.status,
  priority: execution.priority,
  isolation: execution.isolation,
  queued_at: execution.queuedAt,
  started_at: execution.startedAt ?? null,
  ended_at: execution.endedAt ?? null,
  iterations: execution.iterations,
  interruptions: execution.interruptions,
  prompt_tokens: execution.promptTokens,
  completion_tokens: execution.completionTokens,
  cost: execution.cost,
  failure: execution.failure === undefined ? null : failureJson(execution.failure),
})

export const executionDetailJson = (execution: ExecutionDetail) => ({
  ...executionJson(execution),
  input: execution.input,
  output: execution.output ?? null,
  iteration_details: execution.iterationDetails.map((iteration) => ({
    number: iteration.number,
    status: iteration.status,
    output: iteration.output ?? null,
    error: iteration.error ?? null,
    started_at: iteration.startedAt,
    ended_at: iteration.endedAt ?? null,
  })),
})

export const failureJson = (failure: Failure) => ({
  cause: failure.cause,
  message: failure.message,
  ...(failure.exitCode === undefined ? {} : { exit_code: failure.exitCode }),
  ...(failure.signal === undefined ? {} : { signal: failure.signal }),
})

/** One line of a stream. */
export const eventJson = (executionId: string, { version, event }: VersionedEvent) => ({
  execution_id: executionId,
  version,
  event,
})

export const nodeJson = (status: NodeStatus) => ({
  name: status.name,
  version: status.version,
  pid: status.pid,
  uptime_seconds: status.uptimeSeconds,
  executions: status.executions,
  capacity: {
    cpu_millicores: status.capacity.cpuMillicores,
    memory_bytes: status.capacity.memoryBytes,
    free_cpu_millicores: status.capacity.freeCpuMillicores,
    free_memory_bytes: status.capacity.freeMemoryBytes,
  },
  scripted_model: status.scriptedModel,
})
