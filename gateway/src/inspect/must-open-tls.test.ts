import { type NetworkRule, parseNetworkEntry, Secret } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { mustOpenTls } from './must-open-tls.ts'

const rule = (text: string, http?: NetworkRule['http']): NetworkRule => {
  const entry = parseNetworkEntry(text)
  if ('message' in entry) throw new Error(entry.message)
  return { ...entry, text, field: 'network.allowlist[0]', ...(http && { http }) }
}
const secret = {
  name: 'token',
  agents: ['*'],
  hosts: [],
  places: ['header' as const],
  value: new Secret('value'),
  placeholder: `aegis-secret-${'0'.repeat(32)}`,
}
const agent = (
  rules: readonly NetworkRule[],
  opaque: readonly NetworkRule[] = [],
  secrets = [secret].slice(1),
) => {
  const { egress } = anIdentity()
  return { egress: { ...egress, mode: 'allow' as const, rules, opaque }, secrets }
}

describe('TLS ends at the gateway', () => {
  it('where a rule wants requests seen, on the ports of that rule', () => {
    const rules = [rule('a.com', {}), rule('*.b.com:8443', { methods: ['GET'] }), rule('c.com')]
    const opens = (host: string, port: number) => mustOpenTls(agent(rules), host, port)
    expect(opens('a.com', 443)).toBe(true)
    expect(opens('a.com', 8443)).toBe(false)
    expect(opens('x.b.com', 8443)).toBe(true)
    expect(opens('b.com', 8443)).toBe(false)
    expect(opens('evilb.com', 8443)).toBe(false)
    expect(opens('c.com', 443)).toBe(false)
  })

  it('for ranges of addresses of both families', () => {
    const rules = [rule('10.0.0.0/8', {}), rule('[2001:db8::/32]:443', {})]
    const opens = (host: string) => mustOpenTls(agent(rules), host, 443)
    expect(opens('10.9.9.9')).toBe(true)
    expect(opens('11.0.0.1')).toBe(false)
    expect(opens('2001:db8::1')).toBe(true)
    expect(opens('2001:db9::1')).toBe(false)
    expect(opens('::ffff:10.0.0.1')).toBe(false)
  })

  it('everywhere for an agent with secrets, but at hosts that are to pass unread', () => {
    const rules = [rule('a.com'), rule('pinned.com')]
    const bearer = agent(rules, [rule('pinned.com')], [secret])
    expect(mustOpenTls(bearer, 'a.com', 443)).toBe(true)
    expect(mustOpenTls(bearer, 'any.com', 9443)).toBe(true)
    expect(mustOpenTls(bearer, 'pinned.com', 443)).toBe(false)
  })

  it('at a host that is to pass unread where a rule wants its requests seen', () => {
    const rules = [rule('pinned.com', { methods: ['GET'] })]
    expect(mustOpenTls(agent(rules, [rule('pinned.com')]), 'pinned.com', 443)).toBe(true)
  })
})
