import {
  type Actor,
  type ApiRequest,
  type Logger,
  type PolicyAction,
  type PolicyAgent,
  type PolicyDecision,
  type PolicyEngine,
  planEgress,
  type SecurityConfig,
} from '@aegis/core'
import { makeAgentPolicies } from './agent-policy.ts'
import { builtinPolicies } from './builtin-policies.ts'
import { apiRequest } from './cedar-request.ts'
import { makeCeiling } from './ceiling/check-ceiling.ts'
import { makeDecisionCache } from './decision-cache.ts'
import {
  engineFailed,
  failedPolicies,
  forbiddenBy,
  permittedBy,
  unreadable,
} from './explain-decision.ts'
import { manifestPolicies } from './manifest-policies.ts'
import type { OperatorSet } from './operator-set.ts'
import type { OperatorSource } from './operator-source.ts'
import { summarise } from './policy-summary.ts'
import { makePreparedSets, type Question } from './prepared-sets.ts'
import { agentEntity, manifestContext, userEntity, userId } from './user-request.ts'

export interface PolicyEngineDeps {
  /** The engine's own from here on. */
  readonly source: OperatorSource
  /** Where the operator's policies are, for messages. */
  readonly folder: string
  readonly security: Pick<SecurityConfig, 'egress'>
  readonly logger: Pick<Logger, 'error'>
}

/** Decisions about users that are remembered. */
const rememberedDecisions = 1000
/** Sets of policies that Cedar keeps parsed. */
const preparedSets = 1000

/**
 * Policies on Cedar. Nothing is permitted but by a policy; see docs/policies.md for what comes from
 * where. The operator's policies only take away.
 */
export function makePolicyEngine(deps: PolicyEngineDeps): PolicyEngine & Disposable {
  const { source, folder, security, logger } = deps
  const sets = makePreparedSets(preparedSets)
  const remembered = makeDecisionCache<PolicyDecision>(rememberedDecisions)
  const asked = { generation: 0 }
  const allowPublic = security.egress.allow_public
  const { compile, forAgent } = makeAgentPolicies({
    sets,
    current: source.current,
    folder,
    allowPublic,
    logger,
  })
  const ceiling = makeCeiling({ sets, allowPublic })

  /** What operators may narrow and nobody has to permit. */
  const decideUser = (question: Question, subject: string): PolicyDecision => {
    const operator = source.current()
    if (operator.policies === undefined) return unreadable(folder)
    const { action } = question
    const policies = [
      ...builtinPolicies.filter(({ actions }) => actions.includes(action)),
      ...operator.forbids(action).policies,
    ]
    const verdict = sets.ask(`user ${operator.generation} ${action}`, policies, question)
    if (verdict.failed.length > 0) return failedPolicies(verdict.failed)
    if (verdict.permits.length > 0) return permittedBy(verdict.permits, subject)
    return forbiddenBy(verdict.forbids, policies, subject)
  }

  const guarded = (decide: () => PolicyDecision): PolicyDecision => {
    try {
      return decide()
    } catch (error) {
      logger.error({ err: error }, 'the policy engine failed: denied')
      return engineFailed
    }
  }

  const decideApi = (actor: Actor, request: ApiRequest): PolicyDecision => {
    const { generation } = source.current()
    if (asked.generation !== generation) remembered.clear()
    asked.generation = generation
    const user = userEntity(actor)
    const key = JSON.stringify([user, request.action, request.resource])
    const known = remembered.get(key)
    if (known !== undefined) return known
    const { action, resource, context } = apiRequest(request)
    const principal = userId(actor)
    const question = { principal, action, resource, context, entities: [user] }
    const subject = `${action}${request.resource === undefined ? '' : ` on ${request.resource}`} to ${actor.name}`
    const decision = decideUser(question, subject)
    remembered.set(key, decision)
    return decision
  }

  const aboutAgent = (
    action: PolicyAction,
    actor: Actor,
    agent: PolicyAgent,
    facts: Parameters<typeof manifestContext>[1],
  ): PolicyDecision => {
    const { limits } = planEgress(agent.manifest, security)
    return decideUser(
      {
        principal: userId(actor),
        action,
        resource: { type: 'Agent', id: agent.name },
        context: manifestContext(agent, facts, limits),
        entities: [userEntity(actor), agentEntity(agent)],
      },
      `${action} of ${agent.name} to ${actor.name}`,
    )
  }

  const beyondCeiling = (agent: PolicyAgent, { policies = [] }: OperatorSet) => {
    const forbids = policies.filter(({ effect }) => effect === 'forbid')
    return forbids.length === 0 ? undefined : ceiling.check(agent, compile(agent), forbids)
  }

  return {
    forAgent,
    decideApi: (actor, request) => guarded(() => decideApi(actor, request)),
    decideTask: (actor, agent, task) =>
      guarded(() => aboutAgent('task.execute', actor, agent, task)),
    decideDeploy: (actor, agent, deploy) =>
      guarded(() => {
        const decision = aboutAgent('agent.deploy', actor, agent, deploy)
        if (!decision.allow) return decision
        return beyondCeiling(agent, source.current()) ?? decision
      }),
    list: (all) => [
      ...builtinPolicies.map((policy) => summarise(policy)),
      ...(source.current().policies ?? []).map((policy) => summarise(policy)),
      ...all.flatMap(({ name, manifest }) =>
        manifestPolicies(manifest, { allowPublic }).map((policy) => summarise(policy, name)),
      ),
    ],
    get state() {
      const { problems, warnings } = source.current()
      return { folder, problems, warnings }
    },
    review: () => ({ problems: [], warnings: [], policies: 0, refused: [] }),
    [Symbol.dispose]() {
      source[Symbol.dispose]()
      sets[Symbol.dispose]()
    },
  }
}
