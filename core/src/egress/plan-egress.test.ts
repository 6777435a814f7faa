import { describe, expect, it } from 'vitest'
import { defaultNodeConfig } from '../node/default-node-config.ts'
import { parseNodeConfigValue } from '../node/parse-node-config.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { networkEnvironment } from './network-environment.ts'
import { opensTls, planEgress, sandboxNetwork } from './plan-egress.ts'

const { security } = defaultNodeConfig({ hostName: 'node', nodeId: 'n' }).spec
const grants = (limits: object) =>
  parseNodeConfigValue({
    node: { id: 'n' },
    security: { egress: { limits, reachable_ranges: ['127.0.0.1'] } },
  }).spec.security

const allow = { mode: 'allow', allowlist: ['a.com', '*.b.com:8443', '10.0.0.0/8'] } as const

describe('the plan of an agent', () => {
  it('is empty for one without a network', () => {
    expect(planEgress(aManifest('echo'), security)).toMatchObject({ mode: 'none', rules: [] })
    expect(sandboxNetwork(aManifest('echo'))).toBeUndefined()
    expect(networkEnvironment(aManifest('echo'))).toEqual({})
  })

  it('holds each rule with the field it stands in', () => {
    const http = [{ host: 'c.com:444', methods: ['GET'] }]
    const { rules } = planEgress(aManifest('echo', { network: { ...allow, http } }), security)
    expect(rules).toEqual([
      { kind: 'host', host: 'a.com', text: 'a.com', field: 'network.allowlist[0]' },
      {
        kind: 'suffix',
        suffix: 'b.com',
        port: 8443,
        text: '*.b.com:8443',
        field: 'network.allowlist[1]',
      },
      {
        kind: 'cidr',
        address: '10.0.0.0',
        prefixLength: 8,
        text: '10.0.0.0/8',
        field: 'network.allowlist[2]',
      },
      {
        kind: 'host',
        host: 'c.com',
        port: 444,
        text: 'c.com:444',
        field: 'network.http[0]',
        http: { methods: ['GET'] },
      },
    ])
  })

  it('passes on the ranges that the operator opens', () => {
    expect(planEgress(aManifest('echo'), grants({})).reachableRanges).toEqual(['127.0.0.1'])
  })
})

describe('the budgets of an agent', () => {
  const limitsOf = (asked: object, granted: object) =>
    planEgress(aManifest('echo', { network: { ...allow, limits: asked } }), grants(granted)).limits

  it('are those of the node where it asks for none', () => {
    expect(limitsOf({}, { connections: 7, bytes_in: '1Ki' })).toMatchObject({
      connections: 7,
      bytesIn: 1024,
    })
  })

  it('are its own where they are tighter, and never wider than the node grants', () => {
    expect(limitsOf({ connections: 3 }, { connections: 7 }).connections).toBe(3)
    expect(limitsOf({ connections: 9 }, { connections: 7 }).connections).toBe(7)
    expect(limitsOf({ idle_timeout: '2h' }, { idle_timeout: '30s' }).idleTimeoutMs).toBe(30_000)
  })

  it('may be wide where the node grants without a bound', () => {
    expect(limitsOf({ bytes_out: '4Gi' }, {}).bytesOut).toBe(4 * 2 ** 30)
  })

  it('slow nothing down unless somebody says so', () => {
    expect(limitsOf({}, {}).bytesPerSecond).toBeUndefined()
    expect(limitsOf({ bytes_per_second: '2Mi' }, { bytes_per_second: '1Mi' }).bytesPerSecond).toBe(
      2 ** 20,
    )
  })
})

describe('the network inside a sandbox', () => {
  it('has the names of the rules, and their ports on all of them', () => {
    expect(sandboxNetwork(aManifest('echo', { network: allow }))).toEqual({
      names: ['a.com'],
      suffixes: ['b.com'],
      ports: [80, 443, 8443],
      proxy: true,
    })
  })

  it('keeps within what a guest can hold; the proxy serves the rest', () => {
    const allowlist = Array.from({ length: 1000 }, (_, n) => `h${n}.com:${n + 1}`)
    const network = sandboxNetwork(aManifest('echo', { network: { mode: 'allow', allowlist } }))
    expect(network?.names).toHaveLength(1000)
    expect(network?.ports).toHaveLength(60)
  })

  it('is the proxy alone where everything public is permitted', () => {
    expect(sandboxNetwork(aManifest('echo', { network: { mode: 'deny' } }))).toEqual({
      names: [],
      suffixes: [],
      ports: [80, 443],
      proxy: true,
    })
  })
})

describe('the environment of an agent with a network', () => {
  it('names the proxy, but not for the agent API', () => {
    expect(networkEnvironment(aManifest('echo', { network: allow }))).toMatchObject({
      HTTPS_PROXY: 'http://127.0.0.1:3128',
      https_proxy: 'http://127.0.0.1:3128',
      NO_PROXY: 'localhost,127.0.0.1,::1',
    })
  })

  it('names whom to trust only where TLS ends at the gateway', () => {
    const plain = aManifest('echo', { network: allow })
    const read = aManifest('echo', { network: { ...allow, http: [{ host: 'c.com' }] } })
    const secret = aManifest('echo', { network: allow, secrets: { TOKEN: 'github' } })
    expect([plain, read, secret].map(opensTls)).toEqual([false, true, true])
    expect(networkEnvironment(plain)).not.toHaveProperty('SSL_CERT_FILE')
    expect(networkEnvironment(secret)).toMatchObject({
      SSL_CERT_FILE: '/tmp/.aegis/ca-bundle.pem',
      NODE_EXTRA_CA_CERTS: '/tmp/.aegis/ca-bundle.pem',
    })
  })

  it('needs no authority for secrets that can be sent nowhere', () => {
    expect(opensTls(aManifest('echo', { secrets: { TOKEN: 'github' } }))).toBe(false)
  })
})
