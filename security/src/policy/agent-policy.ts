import type { AgentPolicy, AgentRequest, Logger, PolicyAgent, PolicyDecision } from '@aegis/core'
import { type EntityJson, once } from './cedar.ts'
import { agentRequest } from './cedar-request.ts'
import { makeDecisionCache } from './decision-cache.ts'
import {
  denied,
  engineFailed,
  failedPolicies,
  forbiddenBy,
  permittedBy,
  permittedByNothing,
  subjectOf,
  unreadable,
} from './explain-decision.ts'
import { manifestPolicies } from './manifest-policies.ts'
import type { OperatorSet } from './operator-set.ts'
import { makeOwnPolicies, type OwnPolicies } from './own-policies.ts'
import type { PreparedSets } from './prepared-sets.ts'
import { requestKey } from './request-key.ts'
import { agentEntity } from './user-request.ts'

export interface AgentPolicyDeps {
  readonly sets: PreparedSets
  readonly current: () => OperatorSet
  readonly folder: string
  readonly allowPublic: boolean
  readonly logger: Pick<Logger, 'error'>
}

export interface AgentPolicies {
  readonly compile: (agent: PolicyAgent) => OwnPolicies
  readonly forAgent: (agent: PolicyAgent) => AgentPolicy
}

/** Answers that are remembered for one agent. */
const rememberedDecisions = 4096
/** Manifests whose policies stay compiled. */
const compiledManifests = 64

/**
 * An agent may do what a policy of its own manifest permits and no policy forbids, be it its own or
 * the operator's. The two are asked apart, so that nothing the operator writes can widen it.
 */
export function makeAgentPolicies(deps: AgentPolicyDeps): AgentPolicies {
  const compiled = makeDecisionCache<OwnPolicies>(compiledManifests)
  const counted = { manifests: 0 }

  const compile = ({ name, manifest }: PolicyAgent): OwnPolicies => {
    const { security, tools, secrets, advanced } = manifest.spec
    // A manifest may have megabytes of context besides.
    const text = JSON.stringify([name, security, tools, secrets, advanced])
    const known = compiled.get(text)
    if (known !== undefined) return known
    counted.manifests += 1
    const own = makeOwnPolicies(`own ${counted.manifests}`, manifestPolicies(manifest, deps))
    compiled.set(text, own)
    return own
  }
  const warmUp = once(() => {
    // Its sandbox boots meanwhile. Where this fails, the first decision does, and tells.
    setImmediate(() => {
      try {
        deps.sets.warmUp()
      } catch {}
    }).unref()
  })
  return {
    compile,
    forAgent(agent) {
      warmUp()
      return makeAgentPolicy(deps, agent, compile)
    },
  }
}

function makeAgentPolicy(
  deps: AgentPolicyDeps,
  agent: PolicyAgent,
  compile: (agent: PolicyAgent) => OwnPolicies,
): AgentPolicy {
  const remembered = makeDecisionCache<PolicyDecision>(rememberedDecisions)
  const state: { parties?: Parties } = {}

  const decide = (request: AgentRequest): PolicyDecision => {
    const operator = deps.current()
    if (state.parties?.operator !== operator) {
      remembered.clear()
      const own = state.parties?.own ?? compile(agent)
      state.parties = { agent, own, operator, headers: headersOf(own, operator) }
    }
    const key = requestKey(request, state.parties.headers)
    const known = remembered.get(key)
    if (known !== undefined) return known
    const decision = evaluate(deps, state.parties, request)
    remembered.set(key, decision)
    return decision
  }

  return {
    decide(request) {
      try {
        return decide(request)
      } catch (error) {
        deps.logger.error({ err: error, agent: agent.name }, 'the policy engine failed: denied')
        return engineFailed
      }
    },
  }
}

interface Parties {
  readonly agent: PolicyAgent
  readonly own: OwnPolicies
  readonly operator: OperatorSet
  readonly headers: ReadonlySet<string> | undefined
}

function evaluate(
  { sets, folder }: AgentPolicyDeps,
  { agent, own, operator, headers }: Parties,
  request: AgentRequest,
): PolicyDecision {
  const subject = subjectOf(request)
  const asked = agentRequest(request)
  if (asked === undefined) {
    return denied(`${subject} is not written in its canonical form, and nothing permits that.`)
  }
  if (operator.policies === undefined) return unreadable(folder)
  const { action, resource, context } = asked
  const told = asked.entities.map((entity) => withHeaders(entity, headers))
  const principal = { type: 'Agent', id: agent.name }
  const question = { principal, action, resource, context, entities: told }
  const choice = own.relevant(asked)
  const verdict = sets.ask(choice.key, choice.policies, question)
  if (verdict.failed.length > 0) return failedPolicies(verdict.failed)
  if (verdict.forbids.length > 0) return forbiddenBy(verdict.forbids, own.all, subject)
  if (verdict.permits.length === 0) return permittedByNothing(request, agent.manifest, subject)

  const { policies, interest } = operator.forbids(action)
  if (policies.length === 0) return permittedBy(verdict.permits, subject)
  const entities = interest.entities ? [...told, agentEntity(agent)] : told
  const key = `operator ${operator.generation} ${action}`
  const { forbids, failed } = sets.ask(key, policies, { ...question, entities })
  if (failed.length > 0) return failedPolicies(failed)
  if (forbids.length > 0) return forbiddenBy(forbids, policies, subject)
  return permittedBy(verdict.permits, subject)
}

/** Names of headers that some policy looks at; undefined for all. */
function headersOf(own: OwnPolicies, operator: OperatorSet): ReadonlySet<string> | undefined {
  const { headers } = operator.forbids('network.connect').interest
  if (headers === undefined || headers.size === 0)
    return headers === undefined ? headers : own.headers
  return new Set([...own.headers, ...headers])
}

/** Headers that nobody looks at stay away: there may be many. */
function withHeaders(entity: EntityJson, headers: ReadonlySet<string> | undefined): EntityJson {
  if (headers === undefined || entity.tags === undefined) return entity
  const seen = Object.entries(entity.tags).filter(([name]) => headers.has(name))
  return { ...entity, tags: Object.fromEntries(seen) }
}
