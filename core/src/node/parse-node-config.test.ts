import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import { defaultNodeConfig } from './default-node-config.ts'
import { formatNodeConfig, redactNodeConfig } from './format-node-config.ts'
import { generateNodeConfig } from './generate-node-config.ts'
import { nodeConfigJsonSchema, parseNodeConfig, parseNodeConfigValue } from './parse-node-config.ts'

const valid = `apiVersion: 100monkeys.ai/v1
kind: NodeConfig
metadata: { name: home }
spec:
  node: { id: n1, type: edge }
  llm_providers: [{ name: local, type: ollama, models: [{ alias: default, model: llama }] }]
`

describe('parseNodeConfig', () => {
  it('fills in every default', () => {
    expect(parseNodeConfig(valid)).toEqual({
      apiVersion: '100monkeys.ai/v1',
      kind: 'NodeConfig',
      metadata: { name: 'home', labels: {} },
      spec: {
        node: { id: 'n1', type: 'edge', tags: [] },
        llm_providers: [
          {
            name: 'local',
            type: 'ollama',
            endpoint: 'http://localhost:11434',
            enabled: true,
            models: [
              {
                alias: 'default',
                model: 'llama',
                capabilities: [],
                context_window: 8192,
                cost_per_1k_tokens: 0,
              },
            ],
          },
        ],
        llm_selection: {
          strategy: 'prefer-local',
          max_retries: 3,
          retry_delay_ms: 1000,
          timeout_seconds: 300,
        },
        runtime: {
          default_isolation: 'inherit',
          firecracker: { driver: 'auto', starts_at_once: 8, snapshots: 16 },
          images: {},
          isolations: ['process', 'docker', 'firecracker'],
          warm_pool: { enabled: true, idle_seconds: 60, max_size: 16 },
          enable_disk_quotas: true,
          orchestrator_url: 'http://localhost:8000',
          host_paths: { read: [], write: [] },
          cgroup_parent: 'aegis',
          allow_weaker: [],
          uid_range: { first: 1_900_000_000, count: 65_536 },
          capacity: {},
          output_limit: '16Mi',
        },
        network: {
          bind_address: '127.0.0.1',
          port: 8000,
          grpc_port: 50_051,
          heartbeat_interval_seconds: 30,
        },
        security: {
          egress: { allow_public: false, reachable_ranges: [], resolvers: [], limits: {} },
          secrets: { key: 'file' },
          audit: { texts: false },
          access: { requests_per_minute: 6000, failures_per_minute: 60, allowed_hosts: [] },
          supply: { require_digest: false, image_keys: [], manifest_keys: [] },
        },
        observability: {
          logging: { level: 'info', format: 'json' },
          metrics: { enabled: true, port: 9090, path: '/metrics' },
          tracing: { enabled: false },
        },
      },
    })
  })

  it('reads the flat form of the product description', () => {
    const flat = parseNodeConfig(`node:
  id: n1
  type: edge
  name: home
llm_providers:
  - name: local
    type: ollama
    models:
      - { alias: default, model: llama }
`)
    expect(flat).toEqual(parseNodeConfig(valid))
  })

  it('names a node of the flat form after its id when it has no name', () => {
    expect(parseNodeConfig('node: { id: 7 }\n').metadata.name).toBe('7')
  })

  it.each([
    ['ollama', 'http://localhost:11434'],
    ['openai', 'https://api.openai.com/v1'],
    ['anthropic', 'https://api.anthropic.com'],
  ])('knows where %s is', (type, endpoint) => {
    const config = parseNodeConfig(valid.replace('ollama', type))
    expect(config.spec.llm_providers[0]?.endpoint).toBe(endpoint)
  })

  it('drops the slash behind an endpoint', () => {
    const config = parseNodeConfig(valid.replace('ollama,', 'ollama, endpoint: "http://h:1/",'))
    expect(config.spec.llm_providers[0]?.endpoint).toBe('http://h:1')
  })
})

/** What is wrong | as a line below `spec` | the place that is named | what the remedy says. */
const malformed = String.raw`
an unknown node type | node: {id: a, type: cloud} | 7:17 spec.node.type | edge, orchestrator, hybrid
a node without an id | node: {type: edge} | 7:3 spec.node.id | Add id:
an empty id | node: {id: ""} | 7:10 spec.node.id | Write something
a key nobody knows | nodes: {} | 7:3 spec.nodes | Did you mean node?
providers that are a map | llm_providers: {} | 7:3 spec.llm_providers | Give a list
a provider without a name | llm_providers: [{type: ollama, models: [{alias: a, model: b}]}] | 7:19 spec.llm_providers[0].name | Add name:
a provider of an unknown type | llm_providers: [{name: a, type: openia, models: [{alias: a, model: b}]}] | 7:29 spec.llm_providers[0].type | mean openai?
a provider without models | llm_providers: [{name: a, type: ollama}] | 7:19 spec.llm_providers[0].models | Add models:
a provider with no model | llm_providers: [{name: a, type: ollama, models: []}] | 7:43 spec.llm_providers[0].models | at least 1
a model without an alias | llm_providers: [{name: a, type: ollama, models: [{model: b}]}] | 7:52 spec.llm_providers[0].models[0].alias | Add alias:
a negative price | llm_providers: [{name: a, type: ollama, models: [{alias: a, model: b, cost_per_1k_tokens: -1}]}] | 7:73 spec.llm_providers[0].models[0].cost_per_1k_tokens | at least 0
a window of half a token | llm_providers: [{name: a, type: ollama, models: [{alias: a, model: b, context_window: 0.5}]}] | 7:73 spec.llm_providers[0].models[0].context_window | whole number
two models of one alias | llm_providers: [{name: a, type: ollama, models: [{alias: a, model: b}, {alias: a, model: c}]}] | 7:75 spec.llm_providers[0].models[1].alias | alias of its own
two providers of one name | llm_providers: [{name: a, type: ollama, models: [{alias: a, model: b}]}, {name: a, type: openai, models: [{alias: a, model: b}]}] | 7:77 spec.llm_providers[1].name | name of its own
a compatible provider without an endpoint | llm_providers: [{name: a, type: openai-compatible, models: [{alias: a, model: b}]}] | 7:19 spec.llm_providers[0].endpoint | http://localhost:1234/v1
an endpoint without a scheme | llm_providers: [{name: a, type: ollama, endpoint: "localhost:1", models: [{alias: a, model: b}]}] | 7:43 spec.llm_providers[0].endpoint | http://localhost:11434
an endpoint with a key in it | llm_providers: [{name: a, type: ollama, endpoint: "http://u:p@h", models: [{alias: a, model: b}]}] | 7:43 spec.llm_providers[0].endpoint | without key
a key from a variable without a name | llm_providers: [{name: a, type: openai, api_key: "env:", models: [{alias: a, model: b}]}] | 7:43 spec.llm_providers[0].api_key | env:OPENAI_API_KEY
a key with a line break | llm_providers: [{name: a, type: openai, api_key: "sk-1\n", models: [{alias: a, model: b}]}] | 7:43 spec.llm_providers[0].api_key | Copy it again
rules of a real provider | llm_providers: [{name: a, type: openai, rules: x, models: [{alias: a, model: b}]}] | 7:43 spec.llm_providers[0].rules | type: scripted
an unknown strategy | llm_selection: {strategy: round-robin} | 7:19 spec.llm_selection.strategy | prefer-local, prefer-cloud
a default provider that is not there | llm_selection: {default_provider: x} | 7:19 spec.llm_selection.default_provider | Use one of local
a fallback that is not there | llm_selection: {fallback_provider: x} | 7:19 spec.llm_selection.fallback_provider | Use one of local
no attempt at all | llm_selection: {max_retries: 0} | 7:19 spec.llm_selection.max_retries | at least 1
too many attempts | llm_selection: {max_retries: 21} | 7:19 spec.llm_selection.max_retries | at most 20
a delay in words | llm_selection: {retry_delay_ms: 1s} | 7:19 spec.llm_selection.retry_delay_ms | without a unit
an unknown driver | runtime: {firecracker: {driver: vmware}} | 7:27 spec.runtime.firecracker.driver | Use one of auto, firecracker, qemu
an unknown isolation | runtime: {default_isolation: kvm} | 7:13 spec.runtime.default_isolation | inherit, process, docker, firecracker
a relative host path | runtime: {host_paths: {read: [data]}} | 7:33 spec.runtime.host_paths.read[0] | Begin it with /
the whole host | runtime: {host_paths: {write: [/]}} | 7:34 spec.runtime.host_paths.write[0] | folders it needs
a cgroup that climbs | runtime: {cgroup_parent: ../x} | 7:13 spec.runtime.cgroup_parent | like aegis
an absolute cgroup | runtime: {cgroup_parent: /sys} | 7:13 spec.runtime.cgroup_parent | relative
a weakness nobody knows | runtime: {allow_weaker: [seccomp]} | 7:28 spec.runtime.allow_weaker[0] | Use one of cgroup, isolation
users of the host itself | runtime: {uid_range: {first: 0}} | 7:25 spec.runtime.uid_range.first | at least 1000
no users | runtime: {uid_range: {count: 0}} | 7:25 spec.runtime.uid_range.count | at least 1
output without limit | runtime: {output_limit: unlimited} | 7:13 spec.runtime.output_limit | Ki, Mi, Gi
capacity of no memory | runtime: {capacity: {memory: 0}} | 7:24 spec.runtime.capacity.memory | Use 16Mi
a port out of range | network: {port: 65536} | 7:13 spec.network.port | at most 65535
a port in words | network: {port: http} | 7:13 spec.network.port | without a unit
a port in quotes | network: {port: "80"} | 7:13 spec.network.port | Write 80 without quotes
an address that is empty | network: {bind_address: ""} | 7:13 spec.network.bind_address | Write something
tls without a key | network: {tls: {cert_path: a}} | 7:13 spec.network.tls.key_path | Add key_path:
a level nobody knows | observability: {logging: {level: verbose}} | 7:29 spec.observability.logging.level | trace, debug, info, warn, error
metrics as yes | observability: {metrics: {enabled: yes}} | 7:29 spec.observability.metrics.enabled | true or false, without quotes
a path without a slash | observability: {metrics: {path: metrics}} | 7:29 spec.observability.metrics.path | Begin it with /
`

describe('a malformed config', () => {
  it.each(rowsOf(malformed))('is refused for %s', (_, line = '', place = '', remedy = '') => {
    // In place of what the valid config says of the same key, but in the same line for all.
    const key = line.slice(0, line.indexOf(':'))
    const rest = valid.replace(new RegExp(`^  ${key}:.*`, 'm'), '  #')
    const error = refusal(`${rest}  ${line}\n`)
    const named = error.message.split('\n').find((one) => one.startsWith(`config.yaml:${place}:`))
    expect(named ?? error.message).toContain(`config.yaml:${place}:`)
    expect(named).toContain(remedy)
    expect(error.message).not.toMatch(/Invalid input|expected|undefined|NaN|zod/)
  })

  it('is told from a manifest', () => {
    expect(refusal(valid.replace('NodeConfig', 'AgentManifest')).message).toContain(
      'Use NodeConfig',
    )
  })

  it('never shows a key', () => {
    const text = valid.replace('ollama,', 'openai, api_key: "sk-very secret",')
    expect(refusal(text).message).not.toContain('very')
  })
})

describe('formatNodeConfig', () => {
  it('writes what reads back', () => {
    const config = parseNodeConfig(generateNodeConfig({ examples: true }))
    expect(parseNodeConfig(formatNodeConfig(config))).toEqual(config)
    expect(parseNodeConfigValue(JSON.parse(JSON.stringify(config)))).toEqual(config)
  })
})

describe('redactNodeConfig', () => {
  const keyed = (key: string) =>
    parseNodeConfig(valid.replace('ollama,', `openai, api_key: "${key}",`))

  it('hides a key, and still parses', () => {
    const text = formatNodeConfig(redactNodeConfig(keyed('sk-1234')))
    expect(text).not.toContain('sk-1234')
    expect(parseNodeConfig(text).spec.llm_providers[0]?.api_key).toBe('[secret]')
  })

  it('shows the name of a variable', () => {
    expect(redactNodeConfig(keyed('env:MY_KEY'))).toEqual(keyed('env:MY_KEY'))
  })
})

describe('defaultNodeConfig', () => {
  it('is reachable from this machine alone and has no provider', () => {
    const { metadata, spec } = defaultNodeConfig({ hostName: 'box', nodeId: 'n1' })
    expect(metadata.name).toBe('box')
    expect(spec.network).toMatchObject({ bind_address: '127.0.0.1', port: 8000 })
    expect(spec.llm_providers).toEqual([])
  })

  it('has a name where the host has none', () => {
    expect(defaultNodeConfig({ hostName: '', nodeId: 'n1' }).metadata.name).toBe('aegis-node')
  })
})

describe('generateNodeConfig', () => {
  it.each([true, false])('writes what parses (examples: %s)', (examples) => {
    const config = parseNodeConfig(generateNodeConfig({ examples }))
    expect(config.spec.network.bind_address).toBe('127.0.0.1')
    expect(config.spec.llm_providers.length > 0).toBe(examples)
  })

  it('states the defaults as they are', () => {
    const { spec } = parseNodeConfig(generateNodeConfig({ examples: true }))
    const plain = parseNodeConfig(valid).spec
    expect(spec.runtime).toEqual(plain.runtime)
    expect(spec.network).toEqual(plain.network)
    expect(spec.observability).toEqual(plain.observability)
    expect(spec.llm_selection).toEqual({ ...plain.llm_selection, default_provider: 'local' })
  })
})

it('gives a config or an AegisError, whatever the text or the value', () => {
  const parse = (action: () => unknown) => {
    try {
      action()
    } catch (error) {
      expect(error).toMatchObject({ kind: 'invalid', code: 'config.invalid' })
    }
  }
  fc.assert(
    fc.property(fc.string(), fc.anything(), (text, value) => {
      parse(() => parseNodeConfig(text))
      parse(() => parseNodeConfig(`node: { id: ${text} }`))
      parse(() => parseNodeConfigValue({ node: value, llm_providers: [value] }))
    }),
    { numRuns: 500 },
  )
})

it('describes itself as a JSON schema', () => {
  expect(nodeConfigJsonSchema()).toMatchObject({
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    additionalProperties: false,
  })
})

function rowsOf(table: string): string[][] {
  const rows = table.trim().split('\n')
  return rows.map((row) => row.split(' | '))
}

function refusal(text: string): AegisError {
  try {
    parseNodeConfig(text, { file: 'config.yaml' })
  } catch (error) {
    if (error instanceof AegisError) return error
    throw error
  }
  throw new Error('It was accepted')
}
