import { type AgentManifest, type AgentRequest, parseManifestValue } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadCedar } from './cedar.ts'
import { manifestPolicies } from './manifest-policies.ts'
import { policySchema } from './policy-schema.ts'
import { anEngine } from './testing/an-engine.ts'

const everything = aManifest('coder', {
  network: {
    mode: 'allow',
    allowlist: ['a.example.com', '*.b.com:22', '10.0.0.0/8', '[2001:db8::/32]:443'],
    denylist: ['x.b.com', 'x.c.com:80', '10.1.0.0/16', '10.2.0.0/16:22'],
    http: [{ host: 'c.com', methods: ['GET'], paths: ['/a/*', '/b'], headers: { accept: '*' } }],
  },
  filesystem: { read: ['/data'], write: ['/out'] },
  secrets: { TOKEN: 'github' },
  advanced: { swarm_enabled: true },
})
const manifest: AgentManifest = {
  ...everything,
  spec: { ...everything.spec, tools: ['mcp:search'] },
}

function decides(request: AgentRequest, of = manifest): boolean {
  using engine = anEngine()
  return engine.forAgent({ name: of.metadata.name, manifest: of }).decide(request).allow
}

it('compiles each field of a manifest to policies of that name, all in the vocabulary', () => {
  const policies = manifestPolicies(manifest, { allowPublic: false })
  expect(policies.map(({ id }) => id)).toMatchInlineSnapshot(`
    [
      "agent/coder/network.allowlist[0]",
      "agent/coder/network.allowlist[1]",
      "agent/coder/network.allowlist[2]",
      "agent/coder/network.allowlist[3]",
      "agent/coder/network.http[0]",
      "agent/coder/network.denylist[0]",
      "agent/coder/network.denylist[1]",
      "agent/coder/network.denylist[2]",
      "agent/coder/network.denylist[3]",
      "agent/coder/filesystem.workspace",
      "agent/coder/filesystem.tmp",
      "agent/coder/filesystem.read[0]",
      "agent/coder/filesystem.write[0]",
      "agent/coder/tools[0]",
      "agent/coder/secrets.TOKEN",
      "agent/coder/models",
      "agent/coder/swarm",
      "agent/coder/swarm.locks",
    ]
  `)
  expect(problemsOf(policies)).toEqual([])
})

function problemsOf(policies: ReturnType<typeof manifestPolicies>): readonly string[] {
  const staticPolicies = Object.fromEntries(policies.map(({ id, json }) => [id, json]))
  const answer = loadCedar().validate({ schema: policySchema, policies: { staticPolicies } })
  return answer.type === 'failure'
    ? answer.errors.map(({ message }) => message)
    : [...answer.validationErrors, ...answer.validationWarnings].map(({ error }) => error.message)
}

describe('files', () => {
  it.each([
    ['fs.read', '/workspace', true],
    ['fs.write', '/workspace/a/b', true],
    ['fs.write', '/tmp/x', true],
    ['fs.read', '/data/x', true],
    ['fs.write', '/data/x', false],
    ['fs.read', '/out/x', true],
    ['fs.write', '/out', true],
    ['fs.read', '/database', false],
    ['fs.read', '/etc/passwd', false],
    ['fs.read', '/data/../etc/passwd', false],
    ['fs.read', '/data//x', false],
    ['fs.read', 'data/x', false],
  ] as const)('%s of %s is %s', (action, path, allowed) => {
    expect(decides({ action, path })).toBe(allowed)
  })

  it('keeps /workspace from being written where it is read-only', () => {
    const readOnly = aManifest('reader', { filesystem: { read_only: true } })
    expect(decides({ action: 'fs.write', path: '/workspace/a' }, readOnly)).toBe(false)
    expect(decides({ action: 'fs.read', path: '/workspace/a' }, readOnly)).toBe(true)
    expect(decides({ action: 'fs.write', path: '/tmp/a' }, readOnly)).toBe(true)
  })
})

it.each<[AgentRequest, boolean]>([
  [{ action: 'llm.generate', model: 'any-alias' }, true],
  [{ action: 'tool.invoke', tool: 'mcp:search' }, true],
  [{ action: 'tool.invoke', tool: 'mcp:searching' }, false],
  [{ action: 'secret.use', secret: 'github', host: 'api.github.com', port: 443 }, true],
  [{ action: 'secret.use', secret: 'TOKEN', host: 'api.github.com', port: 443 }, false],
  [{ action: 'memory.read', space: 'coder' }, false],
  [{ action: 'memory.write', space: 'coder' }, false],
  [{ action: 'swarm.spawn', agent: 'coder' }, true],
  [{ action: 'swarm.send', agent: 'other' }, false],
  [{ action: 'swarm.lock', lock: 'coder/main' }, true],
  [{ action: 'swarm.lock', lock: 'coders' }, false],
])('decides %j: %s', (request, allowed) => {
  expect(decides(request)).toBe(allowed)
})

it('gives an agent nothing of another, whatever its name', () => {
  using engine = anEngine()
  const names = ['a', 'a-b', 'b']
  const agents = names.map((name) => ({
    name,
    manifest: aManifest(name, { network: { mode: 'allow', allowlist: [`${name}.com`] } }),
  }))
  for (const agent of agents) {
    const { decide } = engine.forAgent(agent)
    const reached = names.filter(
      (name) => decide({ action: 'network.connect', host: `${name}.com`, port: 443 }).allow,
    )
    expect(reached).toEqual([agent.name])
  }
})

describe('texts of a manifest', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
    fc.constantFrom(
      '"',
      '\\',
      '\\"',
      '*',
      '\\*',
      '"); permit(principal, action, resource);//',
      'a" || true || "',
      '\u202e',
      '😀',
      '\\u{41}',
    ),
  )

  it('are never read as Cedar: a tool is permitted by its own name and no other', () => {
    void fc.assert(
      fc.property(hostile, hostile, (tool, other) => {
        const own = { ...manifest, spec: { ...manifest.spec, tools: [tool] } }
        expect(decides({ action: 'tool.invoke', tool }, own)).toBe(true)
        expect(decides({ action: 'tool.invoke', tool: other }, own)).toBe(tool === other)
      }),
      { numRuns: 60 },
    )
  })

  it('mean the same once they were written for a person and read again', () => {
    const cedar = loadCedar()
    void fc.assert(
      fc.property(hostile, hostile, (tool, path) => {
        const own = aManifest('x', {
          filesystem: { read: [`/${path}`] },
          network: {
            mode: 'allow',
            http: [{ host: 'a.com', paths: [`/${path}*`], headers: { a: tool } }],
          },
        })
        for (const { json } of manifestPolicies(own, { allowPublic: false })) {
          const text = cedar.policyToText(json)
          if (text.type === 'failure') throw new Error(JSON.stringify(text.errors))
          const again = cedar.policyToJson(text.text)
          if (again.type === 'failure') throw new Error(JSON.stringify(again.errors))
          const twice = cedar.policyToText(again.json)
          expect(twice).toEqual(text)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('of paths match what a star of theirs stands for, and are literal besides', () => {
    const piece = fc.constantFrom('a', 'b', '*', '\\', '"', '/', 'ab')
    const path = fc.array(piece, { maxLength: 5 }).map((parts) => `/${parts.join('')}`)
    void fc.assert(
      fc.property(path, path, (pattern, asked) => {
        const own = aManifest('x', {
          network: { mode: 'allow', http: [{ host: 'a.com', paths: [pattern] }] },
        })
        const request = {
          action: 'network.connect',
          host: 'a.com',
          port: 443,
          http: { method: 'GET', path: asked, headers: {} },
        } as const
        const meant = new RegExp(
          `^${pattern
            .split('*')
            .map((part) => part.replace(/[\\/"]/g, '\\$&'))
            .join('.*')}$`,
        )
        expect(decides(request, own)).toBe(meant.test(asked))
      }),
      { numRuns: 150 },
    )
  })
})

it('compiles whatever manifest the parser accepts', () => {
  const value = parseManifestValue({
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name: 'm', version: '1' },
    spec: {
      runtime: { language: 'python', version: '3.11' },
      task: { instruction: 'x', prompt_template: 'y' },
      tools: ['a"b\\c*'],
      security: { network: { mode: 'deny', denylist: ['::ffff:10.0.0.0/104', '::/1', '1.2.3.4'] } },
    },
  })
  expect(problemsOf(manifestPolicies(value, { allowPublic: true }))).toEqual([])
})
