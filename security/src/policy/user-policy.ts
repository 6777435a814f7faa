import {
  type Actor,
  type ApiRequest,
  type PolicyAction,
  type PolicyAgent,
  type PolicyDecision,
  planEgress,
  type SecurityConfig,
} from '@aegis/core'
import { builtinPolicies } from './builtin-policies.ts'
import { apiRequest } from './cedar-request.ts'
import { makeDecisionCache } from './decision-cache.ts'
import { failedPolicies, forbiddenBy, permittedBy, unreadable } from './explain-decision.ts'
import type { OperatorSet } from './operator-set.ts'
import type { PreparedSets, Question } from './prepared-sets.ts'
import { agentEntity, manifestContext, userEntity, userId } from './user-request.ts'

interface Deps {
  readonly sets: PreparedSets
  readonly folder: string
  readonly security: Pick<SecurityConfig, 'egress'>
}

/** Users may do what the operator does not forbid them; their roles are asked besides. */
export interface UserPolicies {
  decideApi(operator: OperatorSet, actor: Actor, request: ApiRequest): PolicyDecision
  decideAgent(
    operator: OperatorSet,
    action: 'agent.deploy' | 'task.execute',
    actor: Actor,
    agent: PolicyAgent,
    facts: Parameters<typeof manifestContext>[1],
  ): PolicyDecision
}

/** Decisions on calls of the API that are remembered. */
const rememberedDecisions = 1000

export function makeUserPolicies({ sets, folder, security }: Deps): UserPolicies {
  const remembered = makeDecisionCache<PolicyDecision>(rememberedDecisions)
  const asked: { operator?: OperatorSet } = {}

  const decide = (operator: OperatorSet, question: Question, subject: string): PolicyDecision => {
    if (operator.policies === undefined) return unreadable(folder)
    const { action } = question
    const forbids = operator.forbids(action).policies
    const permits = permitsOf(action)
    // Most nodes forbid their users nothing, and need no engine to tell.
    if (forbids.length === 0)
      return permittedBy(
        permits.map(({ id }) => id),
        subject,
      )
    const policies = [...permits, ...forbids]
    const verdict = sets.ask(`user ${operator.generation} ${action}`, policies, question)
    if (verdict.failed.length > 0) return failedPolicies(verdict.failed)
    if (verdict.permits.length > 0) return permittedBy(verdict.permits, subject)
    return forbiddenBy(verdict.forbids, forbids, subject)
  }

  return {
    decideApi(operator, actor, request) {
      if (asked.operator !== operator) remembered.clear()
      asked.operator = operator
      const user = userEntity(actor)
      const key = JSON.stringify([user, request.action, request.resource])
      const known = remembered.get(key)
      if (known !== undefined) return known
      const { action, resource, context } = apiRequest(request)
      const principal = userId(actor)
      const question = { principal, action, resource, context, entities: [user] }
      const about = request.resource === undefined ? '' : ` on ${request.resource}`
      const decision = decide(operator, question, `${action}${about} to ${actor.name}`)
      remembered.set(key, decision)
      return decision
    },

    decideAgent(operator, action, actor, agent, facts) {
      const { limits } = planEgress(agent.manifest, security)
      const question = {
        principal: userId(actor),
        action,
        resource: { type: 'Agent', id: agent.name },
        context: manifestContext(agent, facts, limits),
        entities: [userEntity(actor), agentEntity(agent)],
      }
      return decide(operator, question, `${action} of ${agent.name} to ${actor.name}`)
    },
  }
}

const permitsOf = (action: PolicyAction) =>
  builtinPolicies.filter(({ actions }) => actions.includes(action))
