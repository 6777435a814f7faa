import type { AgentQueries } from '../agent/agent-queries.ts'
import type { ExecutionQueries } from '../execution/execution-queries.ts'
import { type AgentId, agentId, executionId, isUuid } from '../kernel/ids.ts'

/** Which agent a call concerns. Undefined: there is none. */
export interface AgentNames {
  /** Of an agent, by name or id. */
  ofRef(ref: string): Promise<NamedAgent | undefined>
  ofExecution(id: string): Promise<NamedAgent | undefined>
}

export interface NamedAgent {
  readonly id: AgentId
  readonly name: string
}

interface Deps {
  readonly agents: Pick<AgentQueries, 'byId' | 'byName'>
  readonly executions: Pick<ExecutionQueries, 'byId'>
}

export const makeAgentNames = ({ agents, executions }: Deps): AgentNames => ({
  async ofRef(ref) {
    const byId = isUuid(ref) ? await agents.byId(agentId(ref)) : undefined
    const found = byId ?? (await agents.byName(ref))
    return found && { id: found.id, name: found.name }
  },
  async ofExecution(id) {
    const found = isUuid(id) ? await executions.byId(executionId(id)) : undefined
    return found && { id: found.agentId, name: found.agentName }
  },
})
