import type { AgentRequest, PolicyAgent, PolicyDecision } from '@aegis/core'
import { agentRequest } from '../cedar-request.ts'
import type { CompiledPolicy } from '../compiled-policy.ts'
import { denied, subjectOf } from '../explain-decision.ts'
import type { OwnPolicies } from '../own-policies.ts'
import type { PreparedSets, Question } from '../prepared-sets.ts'
import { agentEntity } from '../user-request.ts'
import { type AskedRegion, askedRegions } from './asked-region.ts'
import { type Condition, readCondition, UnclearCondition } from './condition.ts'
import { mayHold } from './may-hold.ts'
import { type Atoms, atomsOf } from './policy-atoms.ts'
import type { Effort } from './text-classes.ts'
import {
  addressWitnesses,
  httpWitnesses,
  portWitnesses,
  requestOf,
  TooHard,
  textWitnesses,
} from './witnesses.ts'

/** Questions that one deploy may put to Cedar. */
const maxQuestions = 20_000
/** Steps of all its searches for texts, see `textClasses`. */
const maxSteps = 2_000_000

export interface CeilingDeps {
  readonly sets: PreparedSets
  readonly allowPublic: boolean
}

export interface Ceiling {
  /**
   * Whether the operator forbids something that the manifest asks for: a refusal with one request
   * that shows it, or undefined where there is none. It finds every such request there is: what a
   * policy compares with cuts the requests into classes that it cannot tell apart, and Cedar is asked
   * about one of each. A policy that this cannot be done for is a refusal too.
   */
  check(
    agent: PolicyAgent,
    own: OwnPolicies,
    forbids: readonly CompiledPolicy[],
  ): PolicyDecision | undefined
}

export function makeCeiling({ sets, allowPublic }: CeilingDeps): Ceiling {
  const keys = new WeakMap<CompiledPolicy, string>()
  const counted = { policies: 0 }
  const keyOf = (policy: CompiledPolicy): string => {
    const known = keys.get(policy)
    if (known !== undefined) return known
    counted.policies += 1
    const key = `ceiling ${counted.policies}`
    keys.set(policy, key)
    return key
  }

  return {
    check(agent, own, forbids) {
      const budget = { questions: maxQuestions, steps: maxSteps }
      const regions = askedRegions(agent.manifest, { allowPublic })
      for (const policy of forbids) {
        const concerned = regions.filter(({ action }) => policy.actions.includes(action))
        if (concerned.length === 0) continue
        try {
          const condition = conditionOf(policy)
          const atoms = atomsBySubject(condition)
          const shared = { sets, agent, own, policy, budget, condition, atoms, key: keyOf(policy) }
          for (const region of concerned) {
            const found = findForbidden({ ...shared, region })
            if (found !== undefined) return refusal(region, policy, found)
          }
        } catch (error) {
          if (error instanceof TooHard) return unclear(policy, error.message)
          throw error
        }
      }
      return undefined
    },
  }
}

/** @throws TooHard */
function conditionOf(policy: CompiledPolicy): Condition {
  try {
    return readCondition(policy.json)
  } catch (error) {
    if (error instanceof UnclearCondition) throw new TooHard(`it has ${error.message}`)
    throw error
  }
}

function atomsBySubject(condition: Condition): (subject: string) => Atoms {
  const known = new Map<string, Atoms>()
  return (subject) => {
    const atoms = known.get(subject) ?? atomsOf([condition], subject)
    known.set(subject, atoms)
    return atoms
  }
}

interface Budget extends Effort {
  questions: number
}

interface Search {
  readonly condition: Condition
  /** What the policy compares with. */
  readonly atoms: (subject: string) => Atoms
  readonly sets: PreparedSets
  readonly agent: PolicyAgent
  readonly own: OwnPolicies
  readonly policy: CompiledPolicy
  readonly region: AskedRegion
  readonly budget: Budget
  /** Names the policy among the prepared sets. */
  readonly key: string
}

/** A request of the region that the manifest permits and the policy forbids. @throws TooHard */
function findForbidden(search: Search): AgentRequest | undefined {
  const { own, region, condition } = search
  const subject = subjectParts[region.action]
  const first = searchIn(search, search.atoms(subject))
  if (first !== 'excluded') return first
  // The manifest by itself forbids what was found. Whether all of it: with its own terms besides.
  const exclusions = own.all.filter(
    ({ effect, actions }) => effect === 'forbid' && actions.includes(region.action),
  )
  const found = searchIn(search, atomsOf([condition, ...exclusions.map(conditionOf)], subject))
  return found === 'excluded' ? undefined : found
}

/** `excluded`: the policy forbids some, and the manifest permits none of what was tried. */
function searchIn(search: Search, atoms: Atoms): AgentRequest | 'excluded' | undefined {
  const { region, condition } = search
  const subject = subjectParts[region.action]
  const isAddress = 'bits' in region.subject
  const subjects =
    'bits' in region.subject
      ? addressWitnesses(region.subject, atoms)
      : textWitnesses(region.subject, atoms.texts.get(subject) ?? [], search.budget)
  const type =
    isAddress && region.action === 'network.connect' ? 'Address' : resourceTypes[region.action]
  const ports = portWitnesses(region, atoms.numbers.get('port') ?? [])
  const inside =
    region.action === 'network.connect' ? httpWitnesses(region, atoms, search.budget) : [undefined]
  let excluded = false
  for (const text of subjects) {
    const known = { subject, text, resource: { type, id: region.secret ?? text } }
    if (!mayHold(condition, known)) continue
    for (const port of ports) {
      if (!mayHold(condition, { ...known, port })) continue
      for (const http of inside) {
        const request = requestOf(region, text, port, http)
        const verdict = ask(search, request)
        if (verdict === 'refused') return request
        excluded ||= verdict === 'excluded'
      }
    }
  }
  return excluded ? 'excluded' : undefined
}

/** `refused`: the manifest permits it, and the policy does not. `excluded`: neither does. */
function ask(
  { sets, agent, own, policy, key, budget }: Search,
  request: AgentRequest,
): 'refused' | 'excluded' | 'permitted' {
  budget.questions -= 1
  if (budget.questions < 0) throw new TooHard('there is too much to compare')
  const asked = agentRequest(request)
  if (asked === undefined) return 'permitted'
  const question: Question = {
    ...asked,
    principal: { type: 'Agent', id: agent.name },
    entities: [...asked.entities, agentEntity(agent)],
  }
  const operator = sets.ask(key, [policy], question)
  // One that fails denies, as it does while the agent runs.
  if (operator.forbids.length === 0 && operator.failed.length === 0) return 'permitted'
  const choice = own.relevant(asked)
  const permits = sets.ask(choice.key, choice.policies, question).permits.length > 0
  return permits ? 'refused' : 'excluded'
}

/** What of the context a request of each action is about, which the resource is named by, too. */
const subjectParts = {
  'network.connect': 'host',
  'dns.resolve': 'host',
  'fs.read': 'path',
  'fs.write': 'path',
  'llm.generate': 'model',
  'tool.invoke': 'tool',
  'memory.read': 'space',
  'memory.write': 'space',
  'swarm.spawn': 'agent',
  'swarm.send': 'agent',
  'swarm.lock': 'lock',
  'secret.use': 'host',
} as const

const resourceTypes = {
  'network.connect': 'Host',
  'dns.resolve': 'Host',
  'fs.read': 'Path',
  'fs.write': 'Path',
  'llm.generate': 'Model',
  'tool.invoke': 'Tool',
  'memory.read': 'Memory',
  'memory.write': 'Memory',
  'swarm.spawn': 'Agent',
  'swarm.send': 'Agent',
  'swarm.lock': 'Lock',
  'secret.use': 'Secret',
} as const

function refusal(
  region: AskedRegion,
  policy: CompiledPolicy,
  request: AgentRequest,
): PolicyDecision {
  const { field, written, action } = region
  const isNetwork = action === 'network.connect' || action === 'dns.resolve'
  const host = 'host' in request ? request.host : 'name' in request ? request.name : ''
  const wide = !('word' in region.subject) && isNetwork
  const mend = wide
    ? `Narrow the entry, or add ${host.includes(':') ? `[${host}]` : host} to spec.security.network.denylist.`
    : 'Take it out, or ask the operator.'
  return denied(
    `${field} (${written}) lets it ${verbs[action]} ${subjectOf(request)}, which policy ${policy.id} (${policy.source}) forbids. ${mend}`,
    [policy.id],
  )
}

const verbs = {
  'network.connect': 'reach',
  'dns.resolve': 'ask for',
  'fs.read': 'read',
  'fs.write': 'write',
  'llm.generate': 'use',
  'tool.invoke': 'use',
  'memory.read': 'read',
  'memory.write': 'write',
  'swarm.spawn': 'start',
  'swarm.send': 'write to',
  'swarm.lock': 'take',
  'secret.use': 'use',
} as const

const unclear = ({ id, source }: CompiledPolicy, why: string): PolicyDecision =>
  denied(
    `Whether policy ${id} (${source}) forbids what the manifest asks for cannot be told: ${why}. The operator has to write it in another way; see docs/policies.md.`,
    [id],
  )
