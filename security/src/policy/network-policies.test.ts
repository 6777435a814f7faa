import type { AgentManifest } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anEngine, type EngineOptions } from './testing/an-engine.ts'

type Network = Partial<AgentManifest['spec']['security']['network']>

const connect = (host: string, port = 443) => ({ action: 'network.connect', host, port }) as const

function withPolicy<Result>(
  network: Network,
  use: (decide: ReturnType<ReturnType<typeof anEngine>['forAgent']>['decide']) => Result,
  options: EngineOptions = {},
): Result {
  using engine = anEngine(options)
  const manifest = aManifest('coder', { network: { mode: 'allow', ...network } })
  return use(engine.forAgent({ name: 'coder', manifest }).decide)
}

const allows = (network: Network, host: string, port?: number, options?: EngineOptions): boolean =>
  withPolicy(network, (decide) => decide(connect(host, port)).allow, options)

it('permits what an entry names, and says which entry', () => {
  const allowlist = ['a.example.com', 'db.example.com:5432']
  withPolicy({ allowlist }, (decide) => {
    expect(decide(connect('a.example.com'))).toEqual({
      allow: true,
      policies: ['agent/coder/network.allowlist[0]'],
      because: 'agent/coder/network.allowlist[0] permits a.example.com:443.',
    })
    expect(decide(connect('db.example.com', 5432)).policies).toEqual([
      'agent/coder/network.allowlist[1]',
    ])
  })
})

it('refuses all else with the entry to add', () => {
  withPolicy({ allowlist: ['a.example.com'] }, (decide) => {
    expect(decide(connect('db.example.com', 5432))).toEqual({
      allow: false,
      policies: [],
      because:
        'No rule of the manifest permits db.example.com:5432. Add db.example.com:5432 to spec.security.network.allowlist.',
    })
    expect(decide(connect('2001:db8::1')).because).toContain('Add [2001:db8::1] to')
  })
})

it.each([
  ['a.example.com', 80, true],
  ['a.example.com', 443, true],
  ['a.example.com', 22, false],
  ['b.example.com', 443, false],
  ['a.example.com.evil.com', 443, false],
  ['xa.example.com', 443, false],
])('takes an entry without a port for 80 and 443 of that very host: %s:%i is %s', (host, port, allowed) => {
  expect(allows({ allowlist: ['a.example.com'] }, host, port)).toBe(allowed)
})

it.each([
  ['a.example.com', true],
  ['a.b.example.com', true],
  ['example.com', false],
  ['evilexample.com', false],
  ['example.com.evil.com', false],
  ['a.example.co', false],
])('takes a suffix for all names below it and no other: %s is %s', (host, allowed) => {
  expect(allows({ allowlist: ['*.example.com'] }, host)).toBe(allowed)
})

it.each([
  'A.example.com',
  'a.example.com.',
  'a..example.com',
  ' a.example.com',
  'ä.example.com',
  '',
])('refuses a name that is not canonical, whatever it means: %j', (host) => {
  expect(allows({ allowlist: ['a.example.com', '*.example.com'] }, host)).toBe(false)
  expect(allows({ mode: 'deny' }, host, 443, { egress: { allow_public: true } })).toBe(false)
})

describe('a range', () => {
  const allowlist = ['10.1.0.0/16:5432', '[2001:db8::/32]:443', '192.0.2.7']

  it.each([
    ['10.1.0.0', 5432, true],
    ['10.1.255.255', 5432, true],
    ['10.2.0.0', 5432, false],
    ['10.0.255.255', 5432, false],
    ['10.1.2.3', 443, false],
    ['::ffff:10.1.2.3', 5432, true],
    ['::ffff:10.2.2.3', 5432, false],
    ['2001:db8:ffff::1', 443, true],
    ['2001:db9::1', 443, false],
    ['192.0.2.7', 80, true],
    ['192.0.2.8', 80, false],
  ])('covers its addresses and no others: %s:%i is %s', (host, port, allowed) => {
    expect(allows({ allowlist }, host, port)).toBe(allowed)
  })

  it('never permits a name for where it leads', () => {
    withPolicy({ allowlist: ['10.0.0.0/8', 'known.example.com'] }, (decide) => {
      expect(decide({ ...connect('other.example.com'), address: '10.0.0.1' }).allow).toBe(false)
      expect(decide({ ...connect('known.example.com'), address: '10.0.0.1' }).allow).toBe(true)
    })
  })

  it('forbids a name for where it leads', () => {
    const network = { allowlist: ['known.example.com'], denylist: ['10.0.0.0/8'] }
    withPolicy(network, (decide) => {
      const led = (address: string) => decide({ ...connect('known.example.com'), address })
      expect(decide(connect('known.example.com')).allow).toBe(true)
      expect(led('192.0.2.1').allow).toBe(true)
      expect(led('10.0.0.1').policies).toEqual(['agent/coder/network.denylist[0]'])
      expect(led('::ffff:10.0.0.1').allow).toBe(false)
      expect(led('nonsense').allow).toBe(false)
    })
  })
})

describe('the denylist', () => {
  it('takes away, on every port where it names none', () => {
    const network = {
      allowlist: ['*.example.com', 'bad.example.com:22'],
      denylist: ['bad.example.com'],
    }
    withPolicy(network, (decide) => {
      expect(decide(connect('good.example.com')).allow).toBe(true)
      for (const port of [22, 80, 443]) {
        expect(decide(connect('bad.example.com', port))).toMatchObject({
          allow: false,
          policies: ['agent/coder/network.denylist[0]'],
        })
      }
      expect(decide({ action: 'dns.resolve', name: 'bad.example.com' }).allow).toBe(false)
    })
  })

  it('takes one port away and leaves the others, and the name', () => {
    const network = { allowlist: ['a.example.com'], denylist: ['a.example.com:80'] }
    withPolicy(network, (decide) => {
      expect(decide(connect('a.example.com', 80)).allow).toBe(false)
      expect(decide(connect('a.example.com', 443)).allow).toBe(true)
      expect(decide({ action: 'dns.resolve', name: 'a.example.com' }).allow).toBe(true)
    })
  })
})

it('permits everything public with mode deny, but only where the operator does', () => {
  const network = { mode: 'deny', denylist: ['*.evil.com'] } as const
  expect(allows(network, 'a.com')).toBe(false)
  const open = { egress: { allow_public: true } }
  expect(allows(network, 'a.com', 25, open)).toBe(true)
  expect(allows(network, 'x.evil.com', 25, open)).toBe(false)
  withPolicy(network, (decide) => {
    expect(decide(connect('a.com')).because).toContain('spec.security.egress.allow_public: true')
  })
})

it('permits nothing with mode none', () => {
  expect(allows({ mode: 'none' }, 'a.com')).toBe(false)
})

describe('a rule for HTTP', () => {
  const network: Network = {
    allowlist: ['all.example.com'],
    http: [
      {
        host: 'api.example.com',
        methods: ['GET', 'HEAD'],
        paths: ['/repos/*', '/user'],
        headers: { accept: 'application/*' },
      },
    ],
  }
  const http = (method: string, path: string, headers = { accept: 'application/json' }) => ({
    ...connect('api.example.com'),
    http: { method, path, headers },
  })

  it.each([
    ['GET', '/repos/aegis', true],
    ['GET', '/user', true],
    ['GET', '/user/x', false],
    ['GET', '/', false],
    ['POST', '/user', false],
    ['HEAD', '/repos/', true],
  ])('permits the requests that fit: %s %s is %s', (method, path, allowed) => {
    withPolicy(network, (decide) => expect(decide(http(method, path)).allow).toBe(allowed))
  })

  it('permits the connection itself, and asks for its headers', () => {
    withPolicy(network, (decide) => {
      expect(decide(connect('api.example.com')).policies).toEqual(['agent/coder/network.http[0]'])
      expect(decide(http('GET', '/user', { accept: 'text/html' })).allow).toBe(false)
      const bare = {
        ...connect('api.example.com'),
        http: { method: 'GET', path: '/user', headers: {} },
      }
      expect(decide(bare).allow).toBe(false)
    })
  })

  it('permits all requests of a host that the allowlist names', () => {
    withPolicy(network, (decide) => {
      const request = {
        ...connect('all.example.com'),
        http: { method: 'DELETE', path: '/x', headers: {} },
      }
      expect(decide(request).allow).toBe(true)
    })
  })
})

it('lets names be looked up that are permitted, and no others', () => {
  withPolicy(
    { allowlist: ['a.example.com:22', '*.b.com'], http: [{ host: 'c.com' }] },
    (decide) => {
      const asks = (name: string) => decide({ action: 'dns.resolve', name }).allow
      expect(['a.example.com', 'x.b.com', 'c.com'].map(asks)).toEqual([true, true, true])
      expect(['b.com', 'xb.com', 'data.evil.com'].map(asks)).toEqual([false, false, false])
    },
  )
})

describe('any manifest', () => {
  const label = fc.constantFrom('a', 'b', 'ab', 'evil', 'example', 'x-y')
  const name = fc
    .array(label, { minLength: 1, maxLength: 3 })
    .map((labels) => [...labels, 'com'].join('.'))
  const port = fc.constantFrom('', ':22', ':443')
  const entry = fc
    .tuple(fc.constantFrom('', '*.'), name, port)
    .map(([star, host, suffix]) => star + host + suffix)
  const lists = fc.record({
    allowlist: fc.array(entry, { maxLength: 6 }),
    denylist: fc.array(entry, { maxLength: 3 }),
  })

  it('means for each host and port what its entries say', () => {
    const hosts = fc.array(fc.tuple(name, fc.constantFrom(22, 80, 443, 8080)), {
      minLength: 5,
      maxLength: 20,
    })
    void fc.assert(
      fc.property(lists, hosts, (network, asked) => {
        withPolicy(network, (decide) => {
          for (const [host, port] of asked) {
            const covers = (ports: readonly number[]) => (text: string) =>
              coversHost(text, host, port, ports)
            const expected =
              network.allowlist.some(covers([80, 443])) && !network.denylist.some(covers([port]))
            expect(decide(connect(host, port)).allow).toBe(expected)
          }
        })
      }),
      { numRuns: 60 },
    )
  })

  /** The meaning of an entry, said once more and without Cedar. */
  function coversHost(
    text: string,
    host: string,
    port: number,
    defaults: readonly number[],
  ): boolean {
    const [pattern = '', own] = text.split(':')
    const ports = own === undefined ? defaults : [Number(own)]
    const fits = pattern.startsWith('*.')
      ? host !== pattern.slice(2) && host.endsWith(pattern.slice(1))
      : host === pattern
    return fits && ports.includes(port)
  }
})
