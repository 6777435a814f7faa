import {
  type AgentManifest,
  defaultPorts,
  forbiddenRules,
  type NetworkRule,
  permittedRules,
} from '@aegis/core'
import type { Expr, PolicyJson } from './cedar.ts'
import { agentPolicy, type CompiledPolicy } from './compiled-policy.ts'
import {
  all,
  any,
  attribute,
  choose,
  contextHas,
  endsWith,
  equal,
  inRange,
  like,
  oneOf,
  tag,
} from './expression.ts'
import { cedarRange } from './ip-address.ts'

/**
 * What a manifest says about its network. Names that it permits may be looked up too. `allowPublic`
 * is the operator's: without it, mode `deny` permits nothing.
 */
export function networkPolicies(
  { metadata: { name: agent }, spec }: AgentManifest,
  { allowPublic }: { readonly allowPublic: boolean },
): readonly CompiledPolicy[] {
  const { network } = spec.security
  const permits = network.mode === 'allow' ? permittedRules(network) : []
  return [
    ...permits.map((rule) => rulePolicy(agent, 'permit', rule)),
    ...(network.mode === 'deny' && allowPublic ? [everythingPublic(agent)] : []),
    ...forbiddenRules(network).map((rule) => rulePolicy(agent, 'forbid', rule)),
  ]
}

/** Which addresses are public is for the gateway to tell, once a name is resolved. */
const everythingPublic = (agent: string): CompiledPolicy =>
  agentPolicy({
    agent,
    id: `agent/${agent}/network.mode`,
    source: 'spec.security.network.mode',
    effect: 'permit',
    actions: ['network.connect', 'dns.resolve'],
  })

function rulePolicy(
  agent: string,
  effect: CompiledPolicy['effect'],
  rule: NetworkRule,
): CompiledPolicy {
  const { slice, resource, where } = destination(rule, effect)
  const conditions = [...where, ...portCondition(rule, effect), ...httpConditions(rule)]
  const [first, ...more] = conditions
  return agentPolicy({
    agent,
    id: `agent/${agent}/${rule.field}`,
    source: `spec.security.${rule.field}`,
    effect,
    actions: rule.kind === 'cidr' ? ['network.connect'] : ['network.connect', 'dns.resolve'],
    slice,
    resource,
    when: first === undefined ? undefined : all(first, ...more),
  })
}

interface Destination {
  readonly slice: string
  readonly resource: PolicyJson['resource']
  readonly where: readonly Expr[]
}

function destination(rule: NetworkRule, effect: CompiledPolicy['effect']): Destination {
  switch (rule.kind) {
    case 'host':
      return {
        slice: `host ${rule.host}`,
        resource: { op: '==', entity: { type: 'Host', id: rule.host } },
        where: [],
      }
    case 'suffix':
      return {
        slice: `suffix ${rule.suffix}`,
        resource: { op: 'is', entity_type: 'Host' },
        where: [endsWith(attribute('host'), `.${rule.suffix}`)],
      }
    case 'cidr': {
      const range = cedarRange(rule.address, rule.prefixLength)
      if (range === undefined) throw new TypeError(`Not a range of addresses: ${rule.text}`)
      return {
        slice: effect === 'permit' ? 'literal' : 'address',
        // A name is not permitted for what it resolves to, but it is forbidden for that.
        resource: effect === 'permit' ? { op: 'is', entity_type: 'Address' } : { op: 'All' },
        where: [all(contextHas('address'), inRange(attribute('address'), range))],
      }
    }
  }
}

/**
 * What permits is for 80 and 443 where it names no port; what forbids is then for all. A question
 * for a name has no port, and what forbids one port leaves the name to be looked up.
 */
function portCondition({ port, kind }: NetworkRule, effect: CompiledPolicy['effect']): Expr[] {
  const own = attribute('port')
  if (effect === 'forbid') {
    return port === undefined ? [] : [all(contextHas('port'), equal(own, port))]
  }
  const fits = port === undefined ? oneOf(own, defaultPorts) : equal(own, port)
  return [kind === 'cidr' ? fits : choose(contextHas('port'), fits, { Value: true })]
}

/** The connection itself is permitted, and of the requests in it those that fit. */
function httpConditions({ http }: NetworkRule): Expr[] {
  if (http === undefined) return []
  const path = attribute('http', 'path')
  const headers = attribute('http', 'headers')
  const fits = [
    ...(http.methods === undefined ? [] : [oneOf(attribute('http', 'method'), http.methods)]),
    ...anyOf((http.paths ?? []).map((pattern) => like(path, pattern))),
    ...Object.entries(http.headers ?? {}).map(([name, pattern]) => {
      const header = tag(headers, name)
      return all(header.present, like(header.value, pattern))
    }),
  ]
  const [first, ...more] = fits
  if (first === undefined) return []
  return [choose(contextHas('http'), all(first, ...more), { Value: true })]
}

function anyOf([first, ...more]: readonly Expr[]): Expr[] {
  return first === undefined ? [] : [any(first, ...more)]
}
