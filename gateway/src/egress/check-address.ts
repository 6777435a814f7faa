import type { AgentPolicy, EgressPlan, PolicyDecision } from '@aegis/core'
import { type AddressClass, classOf, formsOf } from './address-class.ts'
import { addressRange, inRange } from './address-range.ts'
import type { IpAddress } from './ip-address.ts'
import { ruleCoversAddress } from './rule-covers.ts'
import { subjectOf } from './subject-of.ts'

/** Why an address must not be dialled, and what would permit it. */
export interface AddressRefusal {
  readonly code: string
  readonly reason: string
  readonly policies: readonly string[]
}

export interface CheckAddressDeps {
  readonly policy: AgentPolicy
  readonly plan: Pick<EgressPlan, 'rules' | 'reachableRanges'>
  /** The addresses of this host. */
  readonly own: readonly IpAddress[]
}

/**
 * Judges an address that a permitted host leads to, at each use anew: a name that was harmless a
 * moment ago may lead elsewhere now. Undefined: it may be dialled.
 */
export function refuseAddress(
  { policy, plan, own }: CheckAddressDeps,
  { host, port }: { readonly host: string; readonly port: number },
  address: IpAddress,
): AddressRefusal | undefined {
  const forbidden = formsOf(address)
    .map((form) => forbids(policy, { host, port }, address, form))
    .find((decision) => decision !== undefined)
  if (forbidden !== undefined) {
    const { because: reason, policies } = forbidden
    return { code: 'egress.forbidden-address', reason, policies }
  }
  const kind = classOf(address, own)
  if (kind === 'public') return undefined
  const leads = host === address.text ? `${host} is` : `${host} leads to ${address.text},`
  const code = `egress.${kind}-address`
  const fact = `${leads} ${descriptions[kind]}.`
  if (kind === 'reserved') {
    return { code, reason: `${fact} Nothing permits a connection to it.`, policies: [] }
  }
  const ruled = plan.rules.some((rule) => ruleCoversAddress(rule, address, port))
  const decision = policy.decide({ action: 'network.connect', host: address.text, port })
  const reachable =
    kind === 'private' ||
    plan.reachableRanges.some((range) => inRange(addressRange(range), address))
  if (ruled && decision.allow && reachable) return undefined
  const remedies = [
    ...(ruled
      ? []
      : [`a rule with the address, such as ${subjectOf(address.text, port)}, in ${allowlist}`]),
    ...(reachable ? [] : [`a range with it in ${reachableRanges}`]),
  ]
  const remedy =
    remedies.length === 0 ? decision.because : `To permit it takes ${remedies.join(', and ')}.`
  return { code, reason: `${fact} ${remedy}`, policies: decision.allow ? [] : decision.policies }
}

/** The refusal of what is permitted by name, for the address that it leads to or is translated to. */
function forbids(
  policy: AgentPolicy,
  { host, port }: { readonly host: string; readonly port: number },
  address: IpAddress,
  form: IpAddress,
): PolicyDecision | undefined {
  const action = 'network.connect'
  if (host !== address.text) {
    const decision = policy.decide({ action, host, port, address: form.text })
    return decision.allow ? undefined : decision
  }
  // An address that was named itself is permitted already; what it stands for needs no permission of
  // its own, but may be forbidden.
  if (form === address) return undefined
  const decision = policy.decide({ action, host: form.text, port })
  return decision.allow || decision.policies.length === 0 ? undefined : decision
}

const allowlist = 'spec.security.network.allowlist of the manifest'
const reachableRanges = "the operator's spec.security.egress.reachable_ranges"

const descriptions: Readonly<Record<Exclude<AddressClass, 'public'>, string>> = {
  private: 'a private address',
  own: 'an address of this host',
  loopback: 'a loopback address',
  'link-local': 'a link-local address',
  metadata: 'an address where clouds give out credentials',
  reserved: 'an address that is reserved, or not for general use',
}
