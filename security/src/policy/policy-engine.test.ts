import type { ApiAction, Role } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { anEngine } from './testing/an-engine.ts'

const manifest = aManifest('coder', {
  network: { mode: 'allow', allowlist: ['a.example.com', 'b.example.com:8080'] },
})
const agent = { name: 'coder', manifest }
const connect = (host: string, port = 443) => ({ action: 'network.connect', host, port }) as const
const files = (text: string) => ({ 'ceiling.cedar': text })

describe("the operator's policies", () => {
  it('forbid what a manifest permits, and say where', () => {
    using engine = anEngine({
      files: files(
        'forbid (principal, action == Action::"network.connect", resource)\nwhen { context.port != 443 };',
      ),
    })
    const { decide } = engine.forAgent(agent)
    expect(decide(connect('a.example.com')).allow).toBe(true)
    expect(decide(connect('b.example.com', 8080))).toEqual({
      allow: false,
      policies: ['ceiling.cedar#1'],
      because:
        "Policy ceiling.cedar#1 (ceiling.cedar:1) of this node's operator forbids b.example.com:8080. Only the operator can change that.",
    })
  })

  it('never widen it', () => {
    using engine = anEngine({ files: files('permit (principal, action, resource);') })
    const { decide } = engine.forAgent(agent)
    expect(decide(connect('other.example.com')).allow).toBe(false)
    expect(decide({ action: 'memory.read', space: 'x' }).allow).toBe(false)
  })

  it('tell agents by their labels and names', () => {
    using engine = anEngine({
      files: files(`forbid (principal, action == Action::"network.connect", resource)
unless { principal.hasTag("team") && principal.getTag("team") == "web" };
forbid (principal, action == Action::"network.connect", resource)
when { principal.name like "test-*" };`),
    })
    const labelled = (name: string, labels: Readonly<Record<string, string>>) => {
      const own = aManifest(name, manifest.spec.security)
      return { name, manifest: { ...own, metadata: { ...own.metadata, labels } } }
    }
    const reaches = (name: string, labels: Readonly<Record<string, string>>) =>
      engine.forAgent(labelled(name, labels)).decide(connect('a.example.com')).allow
    expect(reaches('coder', { team: 'web' })).toBe(true)
    expect(reaches('coder', { team: 'db' })).toBe(false)
    expect(reaches('coder', {})).toBe(false)
    expect(reaches('test-coder', { team: 'web' })).toBe(false)
  })

  it('see headers, methods and paths of a request', () => {
    using engine = anEngine({
      files: files(`forbid (principal, action == Action::"network.connect", resource)
when { context has http && context.http.headers.hasTag("x-admin") };
forbid (principal, action == Action::"network.connect", resource)
when { context has http && context.http.method == "DELETE" && context.http.path like "/prod/*" };`),
    })
    const { decide } = engine.forAgent(agent)
    const request = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
      decide({ ...connect('a.example.com'), http: { method, path, headers } }).allow
    expect(request('GET', '/', {})).toBe(true)
    expect(request('GET', '/', { 'x-admin': '1' })).toBe(false)
    expect(request('GET', '/', { 'x-other': '1' })).toBe(true)
    expect(request('DELETE', '/prod/1', {})).toBe(false)
    expect(request('DELETE', '/test/1', {})).toBe(true)
  })

  it('narrow the models', () => {
    using engine = anEngine({
      files: files(
        'forbid (principal, action == Action::"llm.generate", resource) unless { resource in [Model::"small", Model::"default"] };',
      ),
    })
    const { decide } = engine.forAgent(agent)
    expect(decide({ action: 'llm.generate', model: 'small' }).allow).toBe(true)
    expect(decide({ action: 'llm.generate', model: 'large' }).policies).toEqual(['ceiling.cedar#1'])
  })

  it('deny where they cannot be evaluated, which Cedar by itself would leave out', () => {
    using engine = anEngine({
      files: files(
        'forbid (principal, action == Action::"network.connect", resource) when { context.port * 9223372036854775807 > 5 };',
      ),
    })
    const { decide } = engine.forAgent(agent)
    expect(decide(connect('a.example.com'))).toMatchObject({
      allow: false,
      policies: ['ceiling.cedar#1'],
      because: expect.stringContaining('cannot be evaluated'),
    })
  })

  it('hold for the next question after they change, whatever was answered before', () => {
    using engine = anEngine()
    const { decide } = engine.forAgent(agent)
    const forbid = files('forbid (principal, action == Action::"network.connect", resource);')
    expect(decide(connect('a.example.com')).allow).toBe(true)
    expect(decide(connect('a.example.com')).allow).toBe(true)
    engine.swap(forbid)
    expect(decide(connect('a.example.com')).allow).toBe(false)
    engine.swap({})
    expect(decide(connect('a.example.com')).allow).toBe(true)
    expect(decide(connect('a.example.com'))).toBe(decide(connect('a.example.com')))
  })
})

describe('users', () => {
  const actor = { name: 'ann', role: 'developer' } as const
  const deploy = { isolation: 'process' } as const

  it('may do everything, as far as policies are concerned', () => {
    using engine = anEngine()
    expect(engine.decideApi(actor, { action: 'api.agent.write', resource: 'coder' })).toEqual({
      allow: true,
      policies: ['builtin/api'],
      because: 'builtin/api permits api.agent.write on coder to ann.',
    })
    expect(engine.decideTask(actor, agent, { ...deploy, priority: 0 }).policies).toEqual([
      'builtin/task.execute',
    ])
    expect(engine.decideDeploy(actor, agent, deploy).policies).toEqual(['builtin/agent.deploy'])
  })

  it('may not do what the operator forbids them, by name, role or thing', () => {
    using engine = anEngine({
      files:
        files(`forbid (principal == User::"bob", action == Action::"api.secret.write", resource);
forbid (principal, action == Action::"api.audit.read", resource) unless { principal in Role::"admin" };
forbid (principal, action == Action::"api.agent.write", resource == Agent::"coder");`),
    })
    const may = (name: string, action: ApiAction, resource?: string, role: Role = 'developer') =>
      engine.decideApi({ name, role }, { action, resource }).allow
    expect(may('bob', 'api.secret.write')).toBe(false)
    expect(may('ann', 'api.secret.write')).toBe(true)
    expect(may('ann', 'api.audit.read')).toBe(false)
    expect(may('ann', 'api.audit.read', undefined, 'admin')).toBe(true)
    expect(may('ann', 'api.agent.write', 'coder')).toBe(false)
    expect(may('ann', 'api.agent.write', 'other')).toBe(true)
    engine.swap({})
    expect(may('bob', 'api.secret.write')).toBe(true)
  })

  it.each([
    ['context.memoryBytes > 1073741824', aManifest('x', { resources: { memory: '2Gi' } })],
    ['context.gpus > 0', aManifest('x', { resources: { gpu: 1 } })],
    ['context.timeoutSeconds > 3600', aManifest('x', { resources: { timeout: '2h' } })],
    ['context.cpuMillicores > 1000', aManifest('x', { resources: { cpu: 2000 } })],
    ['context.diskBytes > 1073741824', aManifest('x', { resources: { disk: '2Gi' } })],
    ['context.processes > 100', aManifest('x', { resources: { pids: 200 } })],
    ['!(["small"].contains(context.model))', aManifest('x', { runtime: { model: 'large' } })],
    ['context.secrets.contains("prod")', aManifest('x', { secrets: { A: 'prod' } })],
    ['!context.secrets.isEmpty()', aManifest('x', { secrets: { A: 'prod' } })],
    ['context.networkMode == "deny"', aManifest('x', { network: { mode: 'deny' } })],
    ['context.bytesOut > 1048576', aManifest('x', { network: { limits: { bytes_out: '2Mi' } } })],
    ['context.isolation == "process"', aManifest('x')],
    ['if context has image then !(context.image like "ghcr.io/acme/*") else true', aManifest('x')],
    ['context.swarm', aManifest('x', { advanced: { swarm_enabled: true } })],
    ['context.iterations > 3', aManifest('x', { execution: { mode: 'iterative' } })],
  ])('may not deploy or run what is beyond a ceiling: %s', (condition, beyond) => {
    using engine = anEngine({
      files: files(
        `forbid (principal, action in [Action::"agent.deploy", Action::"task.execute"], resource) when { ${condition} };`,
      ),
    })
    const asked = { name: 'x', manifest: beyond }
    const within = {
      name: 'y',
      manifest: aManifest('y', {
        runtime: { model: 'small' },
        network: { limits: { bytes_out: '1Mi' } },
      }),
    }
    const image = 'ghcr.io/acme/agent:1'
    expect(engine.decideDeploy(actor, asked, { isolation: 'process' }).policies).toEqual([
      'ceiling.cedar#1',
    ])
    expect(engine.decideTask(actor, asked, { isolation: 'process', priority: 0 }).allow).toBe(false)
    expect(engine.decideDeploy(actor, within, { isolation: 'docker', image }).allow).toBe(true)
  })
})

it("lists what is in force: its own, the operator's, and those of manifests, as Cedar", () => {
  using engine = anEngine({
    files: files('@id("x")\nforbid (principal, action == Action::"fs.read", resource);'),
  })
  const list = engine.list([agent])
  expect(list.find(({ id }) => id === 'x')).toEqual({
    id: 'x',
    effect: 'forbid',
    source: 'ceiling.cedar:1',
    actions: ['fs.read'],
    text: '@id("x")\nforbid (principal, action == Action::"fs.read", resource);',
  })
  expect(list.find(({ id }) => id === 'agent/coder/network.allowlist[1]')).toMatchObject({
    agent: 'coder',
    source: 'spec.security.network.allowlist[1]',
    text: expect.stringContaining('resource == Host::"b.example.com"'),
  })
  expect(list.map(({ id }) => id)).toContain('builtin/api')
})

it('denies, and says so to the log, when the engine itself fails', () => {
  const errors: object[] = []
  using engine = anEngine({ logger: { error: (fields) => errors.push(fields) } })
  const broken = {
    name: 'coder',
    manifest: { ...manifest, spec: undefined },
  } as unknown as typeof agent
  expect(engine.forAgent(broken).decide(connect('a.example.com'))).toMatchObject({
    allow: false,
    because: expect.stringContaining('engine failed'),
  })
  expect(engine.decideDeploy(actor(), broken, { isolation: 'process' }).allow).toBe(false)
  expect(errors).toHaveLength(2)
})

const actor = () => ({ name: 'ann', role: 'admin' }) as const

describe('a review of policies that are not in force', () => {
  const deploy = { isolation: 'process' } as const
  const review = (text: string) => {
    using engine = anEngine()
    return engine.review(actor(), [{ name: 'new.cedar', text }], [{ ...agent, deploy }])
  }

  it('tells which agents would be refused, and why', () => {
    expect(
      review(
        'forbid (principal, action == Action::"network.connect", resource) when { context.host == "a.example.com" };',
      ),
    ).toEqual({
      policies: 1,
      problems: [],
      warnings: [],
      refused: [
        {
          agent: 'coder',
          because: expect.stringContaining(
            '(a.example.com) lets it reach a.example.com:80, which policy new.cedar#1',
          ),
        },
      ],
    })
    expect(
      review(
        'forbid (principal, action == Action::"agent.deploy", resource) when { context.memoryBytes > 1024 };',
      ).refused,
    ).toHaveLength(1)
    expect(
      review(
        'forbid (principal, action == Action::"network.connect", resource) when { context.host == "b.com" };',
      ).refused,
    ).toEqual([])
  })

  it('tells what is wrong with them, and puts nothing in force', () => {
    using engine = anEngine()
    const text = 'forbid (principal, action, resource) when { context.nope };'
    const { problems, refused } = engine.review(actor(), [{ name: 'new.cedar', text }], [])
    expect(problems[0]).toMatchObject({ file: 'new.cedar', line: 1 })
    expect(refused).toEqual([])
    engine.review(actor(), [{ name: 'x.cedar', text: 'forbid (principal, action, resource);' }], [])
    expect(engine.forAgent(agent).decide(connect('a.example.com')).allow).toBe(true)
    expect(engine.decideDeploy(actor(), agent, deploy).allow).toBe(true)
  })
})
