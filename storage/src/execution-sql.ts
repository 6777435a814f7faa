import type { ExecutionStatus } from '@aegis/core'

/** Few at any time; SQLite looks the list up once a query, in the index `agents_paused`. */
const pausedAgents = `(select id from agents where status = 'paused')`

/**
 * The head of the queue, in the order of the index `executions_waiting`: the cost depends on how
 * many rows the caller takes, not on how many wait. Those of paused agents are stepped over inside
 * the index.
 */
export const waitingSql = `
  select id, agent_id as agentId, cpu_millicores as cpuMillicores, memory_bytes as memoryBytes, priority
  from executions indexed by executions_waiting
  where status = 'queued' and agent_id not in ${pausedAgents}
  order by priority desc, position`

export const runningSql = `select id from executions where status = 'running' order by position`

export const countsSql = 'select status, count(*) as count from executions group by status'

export const pendingSql = `
  select count(*) as count from executions indexed by executions_waiting
  where status = 'queued' and agent_id in ${pausedAgents}`

/** The status that users see: who waits for a paused agent is `pending`. */
export const shownStatusSql = `
  case when status = 'queued' and agent_id in ${pausedAgents} then 'pending' else status end`

/** The rows that users see with this status. */
export const statusFilterSql: Readonly<Record<ExecutionStatus, string>> = {
  pending: `status = 'queued' and agent_id in ${pausedAgents}`,
  queued: `status = 'queued' and agent_id not in ${pausedAgents}`,
  running: `status = 'running'`,
  completed: `status = 'completed'`,
  failed: `status = 'failed'`,
  cancelled: `status = 'cancelled'`,
  timed_out: `status = 'timed_out'`,
}
