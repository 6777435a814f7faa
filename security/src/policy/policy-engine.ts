import type {
  Actor,
  DeployRequest,
  Logger,
  PolicyAgent,
  PolicyDecision,
  PolicyEngine,
  SecurityConfig,
} from '@aegis/core'
import { makeAgentPolicies } from './agent-policy.ts'
import { builtinPolicies } from './builtin-policies.ts'
import { makeCeiling } from './ceiling/check-ceiling.ts'
import { engineFailed } from './explain-decision.ts'
import { manifestPolicies } from './manifest-policies.ts'
import { readOperatorPolicies } from './operator-policies.ts'
import { makeOperatorSet, type OperatorSet } from './operator-set.ts'
import type { OperatorSource } from './operator-source.ts'
import { summarise } from './policy-summary.ts'
import { makePreparedSets } from './prepared-sets.ts'
import { makeUserPolicies } from './user-policy.ts'

export interface PolicyEngineDeps {
  /** The engine's own from here on. */
  readonly source: OperatorSource
  /** Where the operator's policies are, for messages. */
  readonly folder: string
  readonly security: Pick<SecurityConfig, 'egress'>
  readonly logger: Pick<Logger, 'error'>
}

/** Sets of policies that Cedar keeps parsed. */
const preparedSets = 1000

/**
 * Policies on Cedar. Nothing is permitted but by a policy; see docs/policies.md for what comes from
 * where. The operator's policies only take away.
 */
export function makePolicyEngine(deps: PolicyEngineDeps): PolicyEngine & Disposable {
  const { source, folder, security, logger } = deps
  const { current } = source
  const sets = makePreparedSets(preparedSets)
  const allowPublic = security.egress.allow_public
  const { compile, forAgent } = makeAgentPolicies({ sets, current, folder, allowPublic, logger })
  const users = makeUserPolicies({ sets, folder, security })
  const ceiling = makeCeiling({ sets, allowPublic })
  const counted = { reviews: 0 }

  const decideDeploy = (
    operator: OperatorSet,
    actor: Actor,
    agent: PolicyAgent,
    deploy: DeployRequest,
  ): PolicyDecision => {
    const decision = users.decideAgent(operator, 'agent.deploy', actor, agent, deploy)
    const forbids = (operator.policies ?? []).filter(({ effect }) => effect === 'forbid')
    if (!decision.allow || forbids.length === 0) return decision
    return ceiling.check(agent, compile(agent), forbids) ?? decision
  }

  const guarded = (decide: () => PolicyDecision): PolicyDecision => {
    try {
      return decide()
    } catch (error) {
      logger.error({ err: error }, 'the policy engine failed: denied')
      return engineFailed
    }
  }

  return {
    forAgent,
    decideApi: (actor, request) => guarded(() => users.decideApi(current(), actor, request)),
    decideTask: (actor, agent, task) =>
      guarded(() => users.decideAgent(current(), 'task.execute', actor, agent, task)),
    decideDeploy: (actor, agent, deploy) =>
      guarded(() => decideDeploy(current(), actor, agent, deploy)),
    list: (agents) => [
      ...builtinPolicies.map((policy) => summarise(policy)),
      ...(current().policies ?? []).map((policy) => summarise(policy)),
      ...agents.flatMap(({ name, manifest }) =>
        manifestPolicies(manifest, { allowPublic }).map((policy) => summarise(policy, name)),
      ),
    ],
    get state() {
      const { policies, problems, warnings } = current()
      return { folder, problems, closed: policies === undefined, warnings }
    },
    review(actor, files, agents) {
      counted.reviews += 1
      const { policies, problems, warnings } = readOperatorPolicies(files)
      const found = { policies: policies.length, problems, warnings }
      if (problems.length > 0) return { ...found, refused: [] }
      // Sets in force count upwards.
      const set = makeOperatorSet(-counted.reviews, { policies, problems, warnings })
      const refused = agents.flatMap(({ deploy, ...agent }) => {
        const decision = guarded(() => decideDeploy(set, actor, agent, deploy))
        return decision.allow ? [] : [{ agent: agent.name, because: decision.because }]
      })
      return { ...found, refused }
    },
    [Symbol.dispose]() {
      source[Symbol.dispose]()
      sets[Symbol.dispose]()
    },
  }
}
