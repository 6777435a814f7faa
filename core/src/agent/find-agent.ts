import { AegisError } from '../kernel/aegis-error.ts'
import { agentId, isUuid } from '../kernel/ids.ts'
import type { AgentQueries, AgentSummary } from './agent-queries.ts'

/** Finds an agent by id or by name. @throws AegisError `not-found` / `agent.absent` */
export async function findAgent(agents: AgentQueries, ref: string): Promise<AgentSummary> {
  const found =
    (isUuid(ref) ? await agents.byId(agentId(ref)) : undefined) ?? (await agents.byName(ref))
  if (found !== undefined) return found
  throw new AegisError(
    'not-found',
    'agent.absent',
    `There is no agent "${ref}". See what is deployed with aegis agent list, or deploy it: aegis agent deploy agent.yaml`,
  )
}
