import type { AgentPolicy, EgressPlan } from '@aegis/core'
import { defaultPorts } from '@aegis/core'
import type { Spoken } from './first-bytes.ts'
import { refuseEncryptedHello, refuseHello } from './judge-hello.ts'
import { ruleCovers } from './rule-covers.ts'

/** What becomes of a connection, now that it is known what its client speaks. */
export type Route =
  /** Its bytes pass unread. */
  | { readonly kind: 'opaque'; readonly tls: boolean }
  | { readonly kind: 'inspect'; readonly as: 'tls' | 'http' }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string }

export interface PermittedTarget {
  /** Canonical. */
  readonly host: string
  readonly port: number
}

/** What the rules say about connections that are not read. */
export interface Unread {
  /** Some rule permits more than certain requests, or nothing but the policy speaks of this host. */
  readonly permitted: boolean
  /** Other protocols than HTTP and TLS: on their ports only where a rule names the port. */
  readonly otherProtocols: boolean
}

export function unreadOf(
  { rules }: Pick<EgressPlan, 'rules'>,
  { host }: { readonly host: string },
  port: number,
): Unread {
  const covering = rules.filter((rule) => ruleCovers(rule, host, port))
  const plain = covering.filter(({ http }) => http === undefined)
  const permitted = plain.length > 0 || covering.length === 0
  const named = plain.some((rule) => rule.port !== undefined)
  return { permitted, otherProtocols: permitted && (named || !defaultPorts.includes(port)) }
}

export function routeFirstBytes(
  policy: AgentPolicy,
  target: PermittedTarget,
  unread: Unread,
  spoken: Spoken,
  opensTls: boolean,
): Route {
  const { host, port } = target
  switch (spoken.kind) {
    case 'http1':
      return { kind: 'inspect', as: 'http' }
    case 'http2': {
      const reason = 'HTTP/2 without TLS cannot be read here. Speak HTTP/1.1, or HTTP/2 over TLS.'
      return { kind: 'refused', code: 'egress.http2-cleartext', reason }
    }
    case 'malformed':
      return { kind: 'refused', code: 'egress.malformed', reason: spoken.reason }
    case 'tls': {
      const refusal = refuseHello(policy, target, spoken.hello)
      if (refusal !== undefined) return { kind: 'refused', ...refusal }
      if (opensTls) return { kind: 'inspect', as: 'tls' }
      if (!unread.permitted) return unreadable(host, port)
      const hidden = refuseEncryptedHello(host, spoken.hello)
      return hidden === undefined ? { kind: 'opaque', tls: true } : { kind: 'refused', ...hidden }
    }
    case 'other': {
      if (!unread.permitted) return unreadable(host, port)
      if (unread.otherProtocols) return { kind: 'opaque', tls: false }
      const [code, name] = port === 80 ? ['egress.not-http', 'HTTP'] : ['egress.not-tls', 'TLS']
      const reason = `On port ${port} the client has to speak ${name}. To permit another protocol, name the port in spec.security.network.allowlist: ${host}:${port}.`
      return { kind: 'refused', code, reason }
    }
  }
}

function unreadable(host: string, port: number): Route {
  const reason = `The rules for ${host} permit certain requests, and what the client speaks on port ${port} is no HTTP. To permit any protocol, name ${host}:${port} in spec.security.network.allowlist.`
  return { kind: 'refused', code: 'egress.no-requests', reason }
}
