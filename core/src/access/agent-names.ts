import type { AgentQueries } from '../agent/agent-queries.ts'
import type { ExecutionQueries } from '../execution/execution-queries.ts'
import { agentId, executionId, isUuid } from '../kernel/ids.ts'

/** Which agent a call concerns. Undefined: there is none. */
export interface AgentNames {
  /** Of an agent, by name or id. */
  ofRef(ref: string): Promise<string | undefined>
  ofExecution(id: string): Promise<string | undefined>
}

interface Deps {
  readonly agents: Pick<AgentQueries, 'byId' | 'byName'>
  readonly executions: Pick<ExecutionQueries, 'byId'>
}

export const makeAgentNames = ({ agents, executions }: Deps): AgentNames => ({
  async ofRef(ref) {
    const byId = isUuid(ref) ? await agents.byId(agentId(ref)) : undefined
    return (byId ?? (await agents.byName(ref)))?.name
  },
  ofExecution: async (id) =>
    isUuid(id) ? (await executions.byId(executionId(id)))?.agentName : undefined,
})
