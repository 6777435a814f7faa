import type { AgentManifest, AgentRequest } from '@aegis/core'
import { localActor } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anEngine, type EngineOptions } from '../testing/an-engine.ts'

type Changes = Parameters<typeof aManifest>[1]

/** Why the manifest may not be deployed under the policies; undefined where it may. */
function refusal(
  policies: string,
  changes: Changes,
  options: EngineOptions & { readonly tools?: readonly string[] } = {},
): string | undefined {
  using engine = anEngine({ files: { 'ceiling.cedar': policies }, ...options })
  const plain = aManifest('coder', changes)
  const manifest: AgentManifest = {
    ...plain,
    spec: { ...plain.spec, tools: options.tools ?? [] },
  }
  const decision = engine.decideDeploy(
    localActor,
    { name: 'coder', manifest },
    { isolation: 'process' },
  )
  return decision.allow ? undefined : decision.because
}

const allow = (...allowlist: readonly string[]): Changes => ({
  network: { mode: 'allow', allowlist },
})
const connects = (condition: string) =>
  `forbid (principal, action == Action::"network.connect", resource) when { ${condition} };`

it('refuses an entry that lets an agent reach what is forbidden, with one such place', () => {
  expect(
    refusal(
      `\n\n${connects('context.host like "*.internal.example.com"')}`,
      allow('*.example.com'),
    ),
  ).toBe(
    'spec.security.network.allowlist[0] (*.example.com) lets it reach a.internal.example.com:80, which policy ceiling.cedar#1 (ceiling.cedar:3) forbids. Narrow the entry, or add a.internal.example.com to spec.security.network.denylist.',
  )
})

describe('hosts', () => {
  it.each<[string, Changes, string | undefined]>([
    ['context.host == "a.com"', allow('a.com'), 'a.com:80'],
    ['context.host == "a.com"', allow('b.com'), undefined],
    ['context.host == "x.a.com"', allow('*.a.com'), 'x.a.com:80'],
    ['context.host == "a.com"', allow('*.a.com'), undefined],
    ['resource == Host::"x.a.com"', allow('*.a.com'), 'x.a.com:80'],
    ['resource in [Host::"b.com", Host::"x.a.com"]', allow('*.a.com'), 'x.a.com:80'],
    ['["x.a.com"].contains(context.host)', allow('*.a.com'), 'x.a.com:80'],
    ['!(context.host like "*.a.com")', allow('*.a.com'), undefined],
    ['!(context.host like "*.a.com")', allow('*.b.a.com', 'b.com'), 'b.com:80'],
    ['context.host like "*secret*"', allow('*.a.com'), 'secret.a.com:80'],
    [
      'context.host like "*secret*" && !(context.host like "*.ok.*")',
      allow('*.a.com'),
      'secret.a.com:80',
    ],
    [
      'if context.host like "a*" then context.port == 443 else context.host like "b*"',
      allow('*.a.com'),
      'a.a.com:443',
    ],
    ['context.port != 443', allow('a.com:443'), undefined],
    ['context.port != 443', allow('a.com'), 'a.com:80'],
    ['context.port < 80 || context.port > 8000', allow('a.com', 'a.com:8443'), 'a.com:8443'],
    ['principal.name like "test-*"', allow('a.com'), undefined],
    ['principal == Agent::"coder" && context.host == "a.com"', allow('a.com'), 'a.com:80'],
  ])('%s with %j: %s', (condition, changes, place) => {
    const found = refusal(connects(condition), changes)
    if (place === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(` reach ${place}, which`)
  })

  it("do not count where the manifest's own denylist has them", () => {
    const forbid = connects('context.host like "*.internal.example.com"')
    const network = { mode: 'allow', allowlist: ['*.example.com'] } as const
    const without = (denylist: readonly string[]) =>
      refusal(forbid, { network: { ...network, denylist } })
    expect(without(['*.internal.example.com'])).toBeUndefined()
    expect(without(['*.x.internal.example.com'])).toContain('reach a.internal.example.com:80')
    expect(without(['a.internal.example.com'])).toContain('reach b.internal.example.com:80')
  })

  it('may not be looked up either', () => {
    expect(
      refusal(
        'forbid (principal, action == Action::"dns.resolve", resource) when { context.host like "*.b.a.com" };',
        allow('*.a.com'),
      ),
    ).toContain('lets it ask for the address of a.b.a.com, which')
  })

  it('are all there are with mode deny', () => {
    const network = { mode: 'deny', denylist: ['*.evil.com', 'evil.com'] } as const
    const open = { egress: { allow_public: true } }
    expect(refusal(connects('context.host like "*.evil.com"'), { network }, open)).toBeUndefined()
    expect(refusal(connects('context.host like "*.bad.com"'), { network }, open)).toContain(
      'reach a.bad.com:443',
    )
    expect(refusal(connects('context.port == 25'), { network }, open)).toContain(':25, which')
    expect(
      refusal(
        connects('context has address && context.address.isInRange(ip("10.0.0.0/8"))'),
        { network },
        open,
      ),
    ).toBeUndefined()
    expect(
      refusal(
        connects('context has address && context.address.isInRange(ip("8.8.8.0/24"))'),
        { network },
        open,
      ),
    ).toContain('reach 8.8.8.')
    expect(refusal(connects('context.host like "*.bad.com"'), { network })).toBeUndefined()
  })
})

describe('addresses', () => {
  const within = (range: string) =>
    connects(`context has address && context.address.isInRange(ip("${range}"))`)

  it.each([
    ['10.1.0.0/16', '10.0.0.0/8', '10.1.0.0:80'],
    ['10.0.0.0/8', '10.1.2.0/24', '10.1.2.0:80'],
    ['10.0.0.0/8', '11.0.0.0/8', undefined],
    ['10.0.0.0/8:22', '10.255.255.255/32', '10.255.255.255:22'],
    ['[2001:db8::/32]:443', '2001:db8:0:0:0:0:0:1/128', '[2001:db8::1]:443'],
    ['2001:db8::/32', '10.0.0.0/8', undefined],
    ['169.254.169.254', '169.254.0.0/16', '169.254.169.254:80'],
  ])('%s under a ceiling of %s: %s', (entry, range, place) => {
    const found = refusal(within(range), allow(entry))
    if (place === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(` reach ${place}, which`)
  })

  it('are told apart by what they are', () => {
    expect(
      refusal(
        connects('context has address && context.address.isLoopback()'),
        allow('127.0.0.0/8'),
      ),
    ).toContain('127.0.0.0:80')
    expect(
      refusal(connects('context has address && context.address.isIpv6()'), allow('10.0.0.0/8')),
    ).toBeUndefined()
    expect(refusal(connects('resource is Address'), allow('10.0.0.1', 'a.com'))).toContain(
      '10.0.0.1:80',
    )
    expect(refusal(connects('resource is Address'), allow('a.com'))).toBeUndefined()
    expect(refusal(connects('context.host == "10.0.0.7"'), allow('10.0.0.0/8'))).toContain(
      '10.0.0.7:80',
    )
    expect(refusal(connects('context.host == "2001:db8::7"'), allow('2001:db8::/32'))).toContain(
      '[2001:db8::7]:80',
    )
  })

  it('ask for a range in the place of a pattern on their text', () => {
    expect(refusal(connects('context.host like "10.1.*"'), allow('10.0.0.0/8'))).toContain(
      'isInRange',
    )
    expect(
      refusal(connects('context.host like "*.internal.com"'), allow('10.0.0.0/8')),
    ).toBeUndefined()
  })

  it('do not count where names are asked for, which are looked up later', () => {
    expect(refusal(within('10.0.0.0/8'), allow('a.com', '*.b.com'))).toBeUndefined()
  })
})

describe('requests', () => {
  const rule = (more: object): Changes => ({
    network: { mode: 'allow', http: [{ host: 'api.com', ...more }] },
  })
  const requests = (condition: string) => connects(`context has http && ${condition}`)

  it.each<[string, Changes, string | undefined]>([
    ['context.http.method == "DELETE"', allow('api.com'), 'DELETE / at api.com:80'],
    ['context.http.method == "DELETE"', rule({ methods: ['GET'] }), undefined],
    ['context.http.method == "DELETE"', rule({ methods: ['GET', 'DELETE'] }), 'DELETE / at'],
    ['context.http.path like "/admin/*"', rule({ paths: ['/repos/*'] }), undefined],
    ['context.http.path like "*/admin/*"', rule({ paths: ['/repos/*'] }), '/repos/admin/ at'],
    ['!(context.http.path like "/repos/*")', rule({ paths: ['/repos/*'] }), undefined],
    ['context.http.headers.hasTag("x-admin")', allow('api.com'), ' at api.com:80'],
    ['!context.http.headers.hasTag("accept")', rule({ headers: { accept: '*' } }), undefined],
    ['!context.http.headers.hasTag("accept")', allow('api.com'), ' at api.com:80'],
    [
      'context.http.headers.hasTag("accept") && context.http.headers.getTag("accept") like "text/*"',
      rule({ headers: { accept: 'application/*' } }),
      undefined,
    ],
  ])('%s with %j: %s', (condition, changes, words) => {
    const found = refusal(requests(condition), changes)
    if (words === undefined) expect(found).toBeUndefined()
    else expect(found).toContain(words)
  })
})

it.each<[string, Changes, readonly string[], string]>([
  [
    'forbid (principal, action == Action::"fs.read", resource) when { context.path like "/data/private/*" };',
    { filesystem: { read: ['/data'] } },
    [],
    'filesystem.read[0] (/data) lets it read /data/private/',
  ],
  [
    'forbid (principal, action == Action::"fs.write", resource) unless { context.path like "/workspace*" || context.path like "/tmp*" };',
    { filesystem: { write: ['/out'] } },
    [],
    'lets it write /out,',
  ],
  [
    'forbid (principal, action == Action::"tool.invoke", resource) when { context.tool like "mcp:*" };',
    {},
    ['mcp:x'],
    'spec.tools[0] (mcp:x) lets it use the tool "mcp:x"',
  ],
  [
    'forbid (principal, action == Action::"llm.generate", resource) unless { resource == Model::"small" };',
    { runtime: { model: 'large' } },
    [],
    'spec.runtime.model (large)',
  ],
  [
    'forbid (principal, action == Action::"secret.use", resource == Secret::"prod") when { context.host like "*.test.com" };',
    { ...allow('*.test.com'), secrets: { TOKEN: 'prod' } },
    [],
    'spec.secrets.TOKEN (prod) lets it use the secret "prod" at a.test.com:80',
  ],
  [
    'forbid (principal, action == Action::"swarm.lock", resource) when { context.lock like "*/x" };',
    { advanced: { swarm_enabled: true } },
    [],
    'the lock "coder/x"',
  ],
])('%s', (policies, changes, tools, words) => {
  expect(refusal(policies, changes, { tools })).toContain(words)
})

it('leaves out what every agent has by itself', () => {
  const forbid = `forbid (principal, action == Action::"fs.write", resource) when { context.path like "/tmp/*" };
forbid (principal, action == Action::"llm.generate", resource) when { resource == Model::"large" };`
  expect(refusal(forbid, { runtime: { model: 'small' } })).toBeUndefined()
})

describe('a policy that cannot be analysed', () => {
  it.each([
    ['context.port + 1 > 444', 'arithmetic'],
    ['context has http && context.http.path == context.host', 'two things that requests say'],
    ['context.host == principal.name', 'not written out'],
    ['[context.host].containsAny(["a.com"])', 'containsAny'],
  ])('refuses what it may concern, and says why: %s', (condition, why) => {
    const found = refusal(connects(condition), allow('a.com'))
    expect(found).toContain('Whether policy ceiling.cedar#1 (ceiling.cedar:1) forbids')
    expect(found).toContain(why)
    expect(refusal(connects(condition), {})).toBeUndefined()
  })

  it('refuses where there are too many ways to overlap', () => {
    const conditions = Array.from(
      { length: 16 },
      (_, index) => `context.host like "*${index}${index}x*"`,
    )
    expect(refusal(connects(conditions.join(' || ')), allow('*.a.com'))).toContain('too many ways')
  })
})

it('is done in time for a large manifest under many policies', () => {
  const entries = Array.from({ length: 500 }, (_, index) => `*.h${index}.example.com`)
  const policies = Array.from({ length: 50 }, (_, index) =>
    connects(`context.host like "*.x${index}.example.com"`),
  )
  expect(refusal(policies.join('\n'), allow(...entries))).toBeUndefined()
}, 20_000)

describe('any manifest under any policy', () => {
  const labels = ['a', 'b', 'c'] as const
  const name = fc
    .array(fc.constantFrom(...labels), { minLength: 1, maxLength: 3 })
    .map((parts) => `${parts.join('.')}.com`)
  const entry = fc
    .tuple(fc.constantFrom('', '*.'), name, fc.constantFrom('', ':22'))
    .map((parts) => parts.join(''))
  const atom = fc.oneof(
    fc
      .tuple(fc.constantFrom('*.', '*', 'a*', ''), name)
      .map(([star, host]) => `context.host like "${star}${host}"`),
    name.map((host) => `resource == Host::"${host}"`),
    fc.constantFrom('context.port == 22', 'context.port < 443', 'context.port >= 80'),
    fc
      .constantFrom('GET', 'PUT')
      .map((method) => `(context has http && context.http.method == "${method}")`),
    fc
      .constantFrom('/a*', '*b', '/')
      .map((path) => `(context has http && context.http.path like "${path}")`),
  )
  const condition = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      atom,
      fc.tuple(tie('tree'), tie('tree')).map(([left, right]) => `(${left} && ${right})`),
      fc.tuple(tie('tree'), tie('tree')).map(([left, right]) => `(${left} || ${right})`),
      tie('tree').map((of) => `!(${of})`),
    ),
  })).tree
  const http = fc.record(
    {
      host: entry,
      methods: fc.subarray(['GET', 'PUT'], { minLength: 1 }),
      paths: fc.subarray(['/a/*', '/*b', '/'], { minLength: 1 }),
    },
    { requiredKeys: ['host'] },
  )
  const network = fc.record({
    allowlist: fc.array(entry, { minLength: 1, maxLength: 3 }),
    denylist: fc.array(entry, { maxLength: 2 }),
    http: fc.array(http, { maxLength: 1 }),
  })

  /** Many requests, of which each kind that the policies above can tell apart has some. */
  const samples: readonly AgentRequest[] = (() => {
    const hosts = ['x', ...labels].flatMap((one) => [
      one,
      ...['x', ...labels].flatMap((two) => [
        `${one}.${two}`,
        ...['x', ...labels].flatMap((three) => [
          `${one}.${two}.${three}`,
          `x.${one}.${two}.${three}`,
        ]),
      ]),
    ])
    const facts = ['GET', 'PUT', 'HEAD'].flatMap((method) =>
      ['/', '/a', '/a/', '/a/b', '/b', '/c'].map((path) => ({ method, path, headers: {} })),
    )
    return hosts.flatMap((host) =>
      [22, 80, 443].flatMap((port): readonly AgentRequest[] => {
        const bare = { action: 'network.connect', host: `${host}.com`, port } as const
        return [bare, ...facts.map((one): AgentRequest => ({ ...bare, http: one }))]
      }),
    )
  })()

  it('is refused with a request that really is forbidden, or there is none', () => {
    let [refused, inside] = [0, 0]
    void fc.assert(
      fc.property(
        network,
        condition,
        fc.infiniteStream(fc.nat(samples.length - 1)),
        (asked, when, picks) => {
          const manifest = aManifest('coder', { network: { mode: 'allow', ...asked } })
          using engine = anEngine({ files: { 'ceiling.cedar': connects(when) } })
          using free = anEngine()
          const agent = { name: 'coder', manifest }
          const decision = engine.decideDeploy(localActor, agent, { isolation: 'process' })
          const limited = engine.forAgent(agent)
          const whole = free.forAgent(agent)
          const isForbidden = (request: AgentRequest) =>
            whole.decide(request).allow && !limited.decide(request).allow
          if (decision.allow) {
            inside += 1
            for (const index of [...picks.take(400)]) {
              const request = samples[index]
              if (request !== undefined && isForbidden(request))
                throw new Error(JSON.stringify(request))
            }
          } else {
            refused += 1
            expect(isForbidden(readPlace(decision.because))).toBe(true)
          }
        },
      ),
      { numRuns: 120 },
    )
    expect(Math.min(refused, inside)).toBeGreaterThan(10)
  })

  /** The request that a refusal shows. */
  function readPlace(because: string): AgentRequest {
    const [, method, path, host = '', port] =
      /reach (?:([A-Z]+) (\S+) at )?([^ ]+):(\d+), which/.exec(because) ?? []
    const bare = { action: 'network.connect', host, port: Number(port) } as const
    return method === undefined || path === undefined
      ? bare
      : { ...bare, http: { method, path, headers: {} } }
  }
})

describe('any ranges of addresses', () => {
  const range = fc
    .tuple(fc.nat(3), fc.nat(255), fc.constantFrom(14, 16, 20, 24, 31, 32))
    .map(([second, third, length]) => `10.${second}.${third}.0/${length}`)
  const port = fc.constantFrom('', ':22')

  it('are refused with an address that really is forbidden, or there is none', () => {
    const address = fc.tuple(fc.nat(3), fc.nat(255), fc.constantFrom(0, 1, 2, 255))
    void fc.assert(
      fc.property(
        fc.array(
          fc.tuple(range, port).map((parts) => parts.join('')),
          { minLength: 1, maxLength: 3 },
        ),
        fc.array(
          fc.tuple(range, port).map((parts) => parts.join('')),
          { maxLength: 2 },
        ),
        fc.array(range, { minLength: 1, maxLength: 2 }),
        fc.boolean(),
        fc.array(address, { minLength: 60, maxLength: 60 }),
        (allowlist, denylist, forbidden, negated, samples) => {
          const inside = forbidden
            .map((one) => `context.address.isInRange(ip("${one}"))`)
            .join(' || ')
          const condition = `context has address && ${negated ? `!(${inside})` : `(${inside})`}`
          using engine = anEngine({ files: { 'ceiling.cedar': connects(condition) } })
          using free = anEngine()
          const network = { mode: 'allow', allowlist, denylist } as const
          const agent = { name: 'coder', manifest: aManifest('coder', { network }) }
          const [limited, whole] = [engine.forAgent(agent), free.forAgent(agent)]
          const isForbidden = (host: string, at: number) => {
            const request = { action: 'network.connect', host, port: at } as const
            return whole.decide(request).allow && !limited.decide(request).allow
          }
          const { allow: allowed, because } = engine.decideDeploy(localActor, agent, {
            isolation: 'process',
          })
          if (allowed) {
            const found = samples
              .map((parts) => `10.${parts.join('.')}`)
              .find((host) => [22, 80, 443].some((at) => isForbidden(host, at)))
            expect(found).toBeUndefined()
          } else {
            const [, host = '', at] = / reach ([\d.]+):(\d+), which/.exec(because) ?? []
            expect(isForbidden(host, Number(at))).toBe(true)
          }
        },
      ),
      { numRuns: 150 },
    )
  })
})
