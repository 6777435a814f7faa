import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import { manifestJsonSchema, parseManifest, parseManifestValue } from './parse-manifest.ts'

const manifest = (spec: string, kind = 'AgentManifest'): string => `apiVersion: 100monkeys.ai/v1
kind: ${kind}
metadata:
  name: helper
  version: 1.0.0
spec:
${spec}`

const python = '  runtime: { language: python, version: 3.11 }\n'
const smallest = manifest(`${python}  task: { instruction: Help. }\n`)
const parsed = (spec: string) => parseManifest(manifest(spec)).spec

describe('parseManifest', () => {
  it('fills in every default', () => {
    expect(parseManifest(smallest)).toEqual({
      apiVersion: '100monkeys.ai/v1',
      kind: 'AgentManifest',
      metadata: { name: 'helper', version: '1.0.0', labels: {}, annotations: {} },
      spec: {
        runtime: {
          language: 'python',
          version: '3.11',
          isolation: 'inherit',
          sandbox: 'default',
          autopull: true,
          image_pull_policy: 'IfNotPresent',
          model: 'default',
        },
        task: {
          agentskills: [],
          instruction: 'Help.',
          prompt_template: '{{instruction}}\n\n{{input}}',
        },
        context: [],
        execution: { mode: 'one-shot', max_retries: 3 },
        security: {
          network: {
            mode: 'none',
            allowlist: [],
            denylist: [],
            http: [],
            opaque: [],
            limits: {},
          },
          filesystem: { read: [], write: [], read_only: false },
          resources: {
            cpu: 1000,
            memory: '512Mi',
            disk: '1Gi',
            timeout: '300s',
            pids: 256,
            gpu: 0,
          },
        },
        tools: [],
        env: {},
        secrets: {},
        advanced: { warm_pool_size: 0, swarm_enabled: false },
      },
    })
  })

  it('takes kind Agent for AgentManifest', () => {
    const agent = manifest(`${python}  task: { instruction: Help. }\n`, 'Agent')
    expect(parseManifest(agent)).toEqual(parseManifest(smallest))
  })

  it('keeps the letters of unquoted numbers where text is wanted', () => {
    const { metadata, spec } = parseManifest(`apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: 007
  version: 3.10
  labels: { build: 0x1F, 1.20: 1e3 }
spec:
  runtime: { language: python, version: 3.10 }
  task: { instruction: 42, input_data: { pi: 3.10 } }
  env: { PORT: 8080 }
  security: { resources: { timeout: 30 } }
`)
    expect(metadata).toMatchObject({ name: '007', version: '3.10' })
    expect(metadata.labels).toEqual({ build: '0x1F', '1.20': '1e3' })
    expect(spec.runtime.version).toBe('3.10')
    expect(spec.task).toMatchObject({ instruction: '42', input_data: { pi: 3.1 } })
    expect(spec.env).toEqual({ PORT: '8080' })
    expect(spec.security.resources.timeout).toBe('30')
  })

  it('takes null for absent', () => {
    const spec = parsed(`${python}  task: { instruction: Help., prompt_template: ~ }
  execution: ~
  security: { network: ~, resources: { memory: null } }
  schedule:
`)
    expect(spec).toEqual(parseManifest(smallest).spec)
  })

  it('reads a manifest by its aliases', () => {
    const spec = parsed(`  runtime: { language: python, version: 3.11, timeout: 60s }
  task: { instruction: Help. }
  execution: { max_iterations: 7, iteration_timeout: 2m, memory: 64Mi }
  validation: { system: {} }
  environment: { A: b }
`)
    expect(spec.execution).toEqual({
      mode: 'one-shot',
      max_retries: 7,
      timeout_per_iteration: 120,
      validation: { system: { must_succeed: true, allow_stderr: false, timeout_seconds: 90 } },
    })
    expect(spec.security.resources).toMatchObject({ memory: '64Mi', timeout: '60s' })
    expect(spec.env).toEqual({ A: 'b' })
    expect(Object.keys(spec.runtime)).not.toContain('timeout')
  })

  it('prefers the key itself to what demo manifests called it', () => {
    const spec = parsed(`  runtime: { language: python, version: 3.11, timeout: 60s }
  task: { instruction: Help. }
  execution: { memory: 64Mi }
  security: { resources: { memory: 128Mi, timeout: 30s } }
`)
    expect(spec.security.resources).toMatchObject({ memory: '128Mi', timeout: '30s' })
  })

  it('tries five times with an execution block, and three without', () => {
    const task = `${python}  task: { instruction: Help. }\n`
    expect(parsed(`${task}  execution: {}\n`).execution.max_retries).toBe(5)
    expect(parsed(task).execution.max_retries).toBe(3)
  })

  it('takes an image in place of a language when a command runs in it', () => {
    const { runtime, task } = parsed(
      '  runtime: { image: "ghcr.io/acme/agent:1", autopull: false }\n  task: { command: [run] }\n',
    )
    expect(runtime).toMatchObject({
      language: 'none',
      image: 'ghcr.io/acme/agent:1',
      image_pull_policy: 'Never',
    })
    expect(task).toEqual({ agentskills: [], command: ['run'] })
  })

  it('permits the allowlist when one is given, and nothing else', () => {
    const { network } = parsed(`${python}  task: { instruction: Help. }
  security: { network: { allowlist: [API.Example.com, "*.Example.org:8443"] } }
`).security
    expect(network).toEqual({
      mode: 'allow',
      allowlist: ['api.example.com', '*.example.org:8443'],
      denylist: [],
      http: [],
      opaque: [],
      limits: {},
    })
  })

  it('permits requests where only those are given, in one spelling', () => {
    const { network } = parsed(`${python}  task: { instruction: Help. }
  security:
    network:
      http:
        - { host: API.GitHub.com, methods: [get, HEAD], paths: ["/repos/*"], headers: { Accept: "*json*" } }
      opaque: [Pinned.example.com]
      limits: { connections: 4, bytes_out: 10Mi, idle_timeout: 30s }
`).security
    expect(network).toEqual({
      mode: 'allow',
      allowlist: [],
      denylist: [],
      http: [
        {
          host: 'api.github.com',
          methods: ['GET', 'HEAD'],
          paths: ['/repos/*'],
          headers: { accept: '*json*' },
        },
      ],
      opaque: ['pinned.example.com'],
      limits: { connections: 4, bytes_out: '10Mi', idle_timeout: '30s' },
    })
  })

  it('refuses a variable that has a value and stands for a secret', () => {
    const both = () =>
      parsed(`${python}  task: { instruction: Help. }
  env: { TOKEN: a }
  secrets: { TOKEN: b }
`)
    expect(both).toThrow(/spec\.secrets\.TOKEN: .*Keep one of them/)
  })

  it('keeps which secret each variable stands for', () => {
    const { secrets } = parsed(`${python}  task: { instruction: Help. }
  secrets: { GITHUB_TOKEN: github, npm_config_token: npm.read }
`)
    expect(secrets).toEqual({ GITHUB_TOKEN: 'github', npm_config_token: 'npm.read' })
  })

  it('gives each text of the context a place to land', () => {
    const { context } = parsed(`${python}  task: { instruction: Help. }
  context:
    - { type: text, content: a }
    - { type: text, content: b, path: ./notes/b.md }
    - { type: directory, path: ./data/ }
    - { type: directory, path: . }
`)
    const paths = context.map((entry) => ('path' in entry ? entry.path : undefined))
    expect(paths).toEqual(['context/1.txt', 'notes/b.md', 'data', '.'])
  })

  it('leaves free maps free', () => {
    const { metadata } = parseManifest(
      smallest.replace('spec:', '  annotations: { "x.y/z": a, spec: b, constructor: c }\nspec:'),
    )
    expect(metadata.annotations).toEqual({ 'x.y/z': 'a', spec: 'b', constructor: 'c' })
  })

  it('follows anchors', () => {
    const { env } = parsed(`  runtime: { language: &l python, version: 3.11 }
  task: { instruction: Help. }
  env: { LANGUAGE: *l }
`)
    expect(env).toEqual({ LANGUAGE: 'python' })
  })
})

describe('the flat form', () => {
  it('means what its apiVersion form says', () => {
    const flat = parseManifest(`version: 1.1
agent:
  name: helper
  description: Helps
  runtime: python:3.11
task: { instruction: Help. }
execution: { mode: loop, max_retries: 4, timeout_seconds: 120 }
permissions:
  network: { allow: [api.openai.com] }
  fs: { read: [/srv/data/] }
  memory: 512MB
  cpu_quota: 0.5
env: { A: 1 }
metadata: { author: Ada, tags: [a, b] }
`)
    expect(flat.metadata).toEqual({
      name: 'helper',
      version: '1.0.0',
      description: 'Helps',
      labels: {},
      annotations: { author: 'Ada', tags: 'a, b' },
    })
    expect(flat.spec.runtime).toMatchObject({ language: 'python', version: '3.11' })
    expect(flat.spec.execution).toEqual({ mode: 'iterative', max_retries: 4 })
    expect(flat.spec.env).toEqual({ A: '1' })
    expect(flat.spec.security).toEqual({
      network: {
        mode: 'allow',
        allowlist: ['api.openai.com'],
        denylist: [],
        http: [],
        opaque: [],
        limits: {},
      },
      filesystem: { read: ['/srv/data'], write: [], read_only: false },
      resources: { cpu: 500, memory: '512MB', disk: '1Gi', timeout: '2m', pids: 256, gpu: 0 },
    })
  })

  it.each([
    ['node:20', { language: 'javascript', version: '20' }],
    ['rust:1.80', { language: 'rust', version: '1.80' }],
    ['python', { language: 'python', version: 'latest' }],
    ['ghcr.io/acme/agent:1', { language: 'none', image: 'ghcr.io/acme/agent:1' }],
    ['ubuntu:24.04', { language: 'none', image: 'ubuntu:24.04' }],
  ])('takes the runtime %s for %j', (runtime, expected) => {
    const source = `version: "1.1"\nagent: { name: a, runtime: "${runtime}" }\ntask: { command: [x] }\n`
    expect(parseManifest(source).spec.runtime).toMatchObject(expected)
  })

  it('denies the network unless it names what it needs', () => {
    const network = (permissions: string) =>
      parseManifest(
        `version: "1.0"\nagent: { name: a, runtime: python }\ntask: { instruction: a }\n${permissions}`,
      ).spec.security.network.mode
    expect(network('')).toBe('none')
    expect(network('permissions: { network: { allow: [] } }')).toBe('none')
    expect(network('permissions: { network: { allow: [a.com] } }')).toBe('allow')
    expect(network('permissions: { network: { deny: [a.com] } }')).toBe('deny')
  })

  it('counts no retry as one iteration', () => {
    const source =
      'version: "1.1"\nagent: { name: a, runtime: python, task: { instruction: a } }\nexecution: { max_retries: 0 }'
    expect(parseManifest(source).spec.execution).toEqual({ mode: 'one-shot', max_retries: 1 })
  })
})

describe('parseManifestValue', () => {
  it('gives the same as the text', () => {
    const value = {
      apiVersion: '100monkeys.ai/v1',
      kind: 'AgentManifest',
      metadata: { name: 'helper', version: '1.0.0', description: null },
      spec: { runtime: { language: 'python', version: '3.11' }, task: { instruction: 'Help.' } },
    }
    expect(parseManifestValue(value)).toEqual(parseManifest(smallest))
    expect(value.metadata.description).toBeNull()
  })

  it('refuses a number where text is wanted, since JSON says what it means', () => {
    const value = JSON.parse(JSON.stringify(parseManifest(smallest)))
    value.metadata.version = 3.1
    expect(() => parseManifestValue(value)).toThrow(
      'metadata.version: It must be text, not 3.1. Put it in quotes: "3.1".',
    )
  })

  it('names the path of what is wrong', () => {
    expect(() => parseManifestValue({ ...parseManifest(smallest), kind: 'Agnt' })).toThrow(
      /^kind: "Agnt" is not known\./,
    )
  })

  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a date', { metadata: new Date(0) }],
    ['a big number', { metadata: 1n }],
    ['not a number', { metadata: Number.NaN }],
    ['half a surrogate pair', { metadata: '\ud800' }],
    ['a key of Object', JSON.parse('{"__proto__": {"kind": "AgentManifest"}}')],
    ['a value that holds itself', cyclic()],
    ['a list that is too long', new Array(200_000).fill(0)],
  ])('refuses %s', (_, value) => {
    expect(() => parseManifestValue(value)).toThrow(AegisError)
  })

  it('gives a manifest or an AegisError, whatever the value', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withDate: true, withMap: true }), refuses),
      { numRuns: 500 },
    )
  })
})

describe('manifestJsonSchema', () => {
  it('describes what may be written', () => {
    const schema = manifestJsonSchema()
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      required: ['apiVersion', 'kind', 'metadata', 'spec'],
      additionalProperties: false,
    })
    expect(JSON.stringify(schema)).toContain('max_iterations')
  })
})

function refuses(value: unknown): void {
  expect(() => parseManifestValue(value)).toThrow(AegisError)
}

function cyclic(): unknown {
  const value: Record<string, unknown> = {}
  value.spec = value
  return value
}
