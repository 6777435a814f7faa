import type { AgentEvent } from '../agent/agent-event.ts'
import {
  isAgentEvent,
  isRevision,
  type ProjectedAgent,
  projectAgent,
} from '../agent/agent-projection.ts'
import type { AgentQueries, AgentRevision, AgentSummary } from '../agent/agent-queries.ts'
import type { ExecutionEvent, ExecutionStatus } from '../execution/execution-event.ts'
import {
  isExecutionEvent,
  type ProjectedExecution,
  projectExecution,
} from '../execution/execution-projection.ts'
import type { ExecutionQueries, ExecutionSummary } from '../execution/execution-queries.ts'
import { type RecordedEvent, type StreamId, streamSubject } from '../kernel/event-store.ts'

export interface InMemoryProjections {
  /** Folds events in. @throws Error, with nothing folded, for one that its stream cannot hold. */
  apply(recorded: readonly RecordedEvent[]): void
  remove(stream: StreamId): void
  /** Whose an execution is. */
  agentOf(executionId: string): string | undefined
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
}

/** The lists and the queue that the in-memory store keeps beside its events. */
export function makeInMemoryProjections(): InMemoryProjections {
  const agents = new Map<string, ProjectedAgent>()
  const revisions = new Map<string, AgentRevision>()
  const executions = new Map<string, ProjectedExecution>()

  const isPaused = (row: ProjectedExecution) => agents.get(row.agentId)?.status === 'paused'

  const statusOf = (row: ProjectedExecution): ExecutionStatus =>
    row.status === 'queued' && isPaused(row) ? 'pending' : row.status

  const agentSummary = (row: ProjectedAgent): AgentSummary => ({
    ...row,
    executionCount: [...executions.values()].filter(({ agentId }) => agentId === row.id).length,
  })

  const executionSummary = (row: ProjectedExecution): ExecutionSummary => {
    const { cpuMillicores, memoryBytes, position, ...summary } = row
    return { ...summary, status: statusOf(row) }
  }

  const applyToAgent = (id: string, recorded: RecordedEvent<AgentEvent>): void => {
    const { event } = recorded
    const row = projectAgent(agents.get(id), recorded)
    if (row === undefined) agents.delete(id)
    else agents.set(id, row)
    if (!isRevision(event)) return
    const { manifest, image } = event
    revisions.set(`${id}@${event.revision}`, { manifest, ...(image && { image }) })
  }

  const applyToExecution = (id: string, recorded: RecordedEvent<ExecutionEvent>): void => {
    const row = projectExecution(executions.get(id), recorded)
    if (row !== undefined) executions.set(id, row)
  }

  return {
    apply(recorded) {
      const work = recorded.map(({ event, ...place }) => {
        const { kind, id } = streamSubject(place.stream)
        if (kind === 'agent' && isAgentEvent(event)) {
          return () => applyToAgent(id, { ...place, event })
        }
        if (kind === 'execution' && isExecutionEvent(event)) {
          return () => applyToExecution(id, { ...place, event })
        }
        throw new Error(`${event.type} is no event of an ${kind}`)
      })
      for (const each of work) each()
    },
    remove(stream) {
      const { kind, id } = streamSubject(stream)
      if (kind === 'execution') executions.delete(id)
      else {
        agents.delete(id)
        for (const key of revisions.keys()) if (key.startsWith(`${id}@`)) revisions.delete(key)
      }
    },
    agentOf: (executionId) => executions.get(executionId)?.agentId,
    agents: {
      async list() {
        return [...agents.values()].sort(byName).map(agentSummary)
      },
      async byId(id) {
        const row = agents.get(id)
        return row && agentSummary(row)
      },
      async byName(name) {
        const row = [...agents.values()].find((each) => each.name === name)
        return row && agentSummary(row)
      },
      async revision(id, revision) {
        return revisions.get(`${id}@${revision}`)
      },
    },
    executions: {
      async list({ agentId, status, limit }) {
        return [...executions.values()]
          .filter((row) => agentId === undefined || row.agentId === agentId)
          .filter((row) => status === undefined || statusOf(row) === status)
          .sort((a, b) => b.position - a.position)
          .slice(0, limit)
          .map(executionSummary)
      },
      async byId(id) {
        const row = executions.get(id)
        return row && executionSummary(row)
      },
      async nextQueued(limit, except) {
        return [...executions.values()]
          .filter((row) => row.status === 'queued' && !isPaused(row) && !except.has(row.id))
          .sort((a, b) => b.priority - a.priority || a.position - b.position)
          .slice(0, limit)
          .map(({ id, agentId, cpuMillicores, memoryBytes, priority }) => ({
            id,
            agentId,
            cpuMillicores,
            memoryBytes,
            priority,
          }))
      },
      async running() {
        return [...executions.values()]
          .filter((row) => row.status === 'running')
          .sort((a, b) => a.position - b.position)
          .map(({ id }) => id)
      },
      async countByStatus() {
        const counts: Record<ExecutionStatus, number> = {
          pending: 0,
          queued: 0,
          running: 0,
          completed: 0,
          failed: 0,
          cancelled: 0,
          timed_out: 0,
        }
        for (const row of executions.values()) counts[statusOf(row)] += 1
        return counts
      },
    },
  }
}

/** As a database compares: by character codes, not by a locale. */
const byName = (a: ProjectedAgent, b: ProjectedAgent) =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0
