import type { AgentPolicy } from '@aegis/core'
import { canonicalHost } from './canonical-host.ts'
import type { ClientHello } from './client-hello.ts'
import { parseIpAddress } from './ip-address.ts'
import { subjectOf } from './subject-of.ts'

export interface HelloRefusal {
  readonly code: string
  readonly reason: string
}

/**
 * Judges the name in a ClientHello against the host that was permitted: behind one address a server
 * may have many names. Undefined: nothing speaks against it.
 */
export function refuseHello(
  policy: AgentPolicy,
  { host, port }: { readonly host: string; readonly port: number },
  { serverName }: ClientHello,
): HelloRefusal | undefined {
  const literal = parseIpAddress(host) !== undefined
  if (serverName === undefined) {
    if (literal) return undefined
    const reason = `The TLS client names no server. It has to name ${host} (SNI), for example with -servername or --sni.`
    return { code: 'egress.sni-absent', reason }
  }
  const named = canonicalHost(serverName)
  if (named.kind !== 'refused') {
    if (named.host === host) return undefined
    const asked = { action: 'network.connect', host: named.host, port } as const
    if (literal && named.kind === 'name' && policy.decide(asked).allow) return undefined
  }
  const remedy = literal
    ? 'Permit the name too, or let the client name no server.'
    : 'Connect to each name by itself; both have to be permitted.'
  const reason = `The TLS client connected to ${subjectOf(host, port)} but asks for ${serverName.slice(0, 253)}. ${remedy}`
  return { code: 'egress.sni-mismatch', reason }
}

/** What a connection that passes unread must not hide. */
export function refuseEncryptedHello(
  host: string,
  { encrypted }: ClientHello,
): HelloRefusal | undefined {
  if (!encrypted) return undefined
  const reason = `The TLS client hides which server it asks for (encrypted_client_hello), and this connection to ${host} would pass unread. Switch that off in the client, or give ${host} a rule in spec.security.network.http, so that the gateway reads its requests.`
  return { code: 'egress.encrypted-hello', reason }
}
