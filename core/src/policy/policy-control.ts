import type { Actor } from '../access/actor.ts'
import type { AgentQueries, AgentSummary } from '../agent/agent-queries.ts'
import { deployRequestOf } from '../agent/ask-policy.ts'
import type { RunnableDeps } from '../agent/check-runnable.ts'
import { findAgent } from '../agent/find-agent.ts'
import type { PolicyControl } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import type { PolicyAgent, PolicyEngine, ReviewedAgent } from './policy-engine.ts'
import type { PolicyReview } from './policy-review.ts'

interface Deps extends RunnableDeps {
  readonly config: RunnableDeps['config'] & Pick<RuntimeConfig, 'images'>
  readonly policies: PolicyEngine
  readonly agents: AgentQueries
  /** Who asks. */
  readonly actor: Actor
}

/** What users can learn of policies. They are changed as files, by whoever may write these. */
export function makePolicyControl(deps: Deps): PolicyControl {
  const { policies, agents, actor } = deps

  const current = async ({ id, name, revision }: AgentSummary): Promise<PolicyAgent> => {
    const found = await agents.revision(id, revision)
    if (found === undefined) throw new Error('An agent without the manifest of its revision')
    return { name, manifest: found.manifest }
  }

  return {
    async list({ agentRef } = {}) {
      const chosen =
        agentRef === undefined ? await agents.list() : [await findAgent(agents, agentRef)]
      const all = await Promise.all(chosen.map(current))
      return { ...policies.state, policies: policies.list(all) }
    },

    async explain(agentRef, request) {
      const agent = await current(await findAgent(agents, agentRef))
      const decision = policies.forAgent(agent).decide(request)
      const deciding = new Set(decision.policies)
      return {
        ...decision,
        deciding:
          deciding.size === 0 ? [] : policies.list([agent]).filter(({ id }) => deciding.has(id)),
      }
    },

    async check(files, { againstAgents = false } = {}) {
      const all = againstAgents ? await agents.list() : []
      const asked = await Promise.all(all.map(current))
      const reviewed = asked.map((agent) => reviewedAgent(deps, agent))
      const runnable = reviewed.flatMap((one) => ('refused' in one ? [] : [one]))
      const review = policies.review(actor, files, runnable)
      const unrunnable = reviewed.flatMap((one) => ('refused' in one ? [one.refused] : []))
      return { ...review, refused: [...review.refused, ...unrunnable] }
    },
  }
}

/** What an agent would be deployed as; one that could not be at all is told as refused. */
function reviewedAgent(
  deps: Deps,
  agent: PolicyAgent,
): ReviewedAgent | { readonly refused: PolicyReview['refused'][number] } {
  try {
    return { ...agent, deploy: deployRequestOf(deps, agent.manifest) }
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    return { refused: { agent: agent.name, because: error.message } }
  }
}
