import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AgentManifest } from './agent-manifest.ts'
import { formatManifest } from './format-manifest.ts'
import { parseManifest, parseManifestValue } from './parse-manifest.ts'

const manifest = (spec: string): string => `apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: helper
  version: 1.0.0
spec:
${spec}`

const smallest = manifest(
  '  runtime: { language: python, version: 3.11 }\n  task: { instruction: Help. }\n',
)

/** A manifest in which no optional part is missing. */
const everything = parseManifest(
  manifest(`  runtime: { language: python, version: 3.11, isolation: docker, image: "python:3.11", temperature: 0.5 }
  task: { agentskills: [a], instruction: Help., prompt_template: "{{input}}", command: [node, x.mjs], input_data: { a: [1, null] } }
  context:
    - { type: text, content: aGk=, encoding: base64, path: a.txt, description: A file }
    - { type: file, path: b.txt }
    - { type: directory, path: c }
    - { type: url, url: "https://example.com/d" }
  execution:
    mode: iterative
    max_retries: 9
    timeout_per_iteration: 60
    validation:
      system: {}
      output: { format: json, schema: { type: object }, regex: "^{" }
      script: { path: check.py, description: Checks }
      semantic: { model: smart, prompt: Is it good?, threshold: 0.9 }
    delivery:
      destinations:
        - { name: a, condition: always, type: email, email: { to: a@example.com, subject: b } }
        - { name: b, condition: on_success, type: webhook, webhook: { url: "https://example.com" }, transform: { script: x } }
        - { name: c, condition: on_failure, type: rest, rest: { url: "https://example.com", method: PUT, headers: { A: b } } }
        - { name: d, condition: always, type: sms, sms: { to: "1", message: m } }
  security:
    network: { mode: allow, allowlist: [a.com, "*.b.com:8443", 10.0.0.0/8], denylist: [c.a.com] }
    filesystem: { read: [/srv/a], write: [/srv/b], read_only: true }
    resources: { cpu: 250, memory: 64Mi, disk: 32Mi, timeout: 30s, pids: 64 }
  schedule: { type: cron, cron: "0 9 * * 1-5", timezone: Europe/Berlin }
  tools: [a, "mcp:b"]
  env: { A: b }
  advanced: { warm_pool_size: 2, swarm_enabled: true, startup_script: x, health_check: { path: /, interval_seconds: 1, timeout_seconds: 1 } }
`).replace(
    'version: 1.0.0',
    'version: 1.0.0\n  description: Helps\n  labels: {a: b}\n  annotations: {c: d}',
  ),
)

describe('formatManifest', () => {
  it('writes what can be deployed again', () => {
    expect(parseManifest(formatManifest(everything))).toEqual(everything)
    expect(parseManifestValue(JSON.parse(JSON.stringify(everything)))).toEqual(everything)
  })

  it('leaves out empty lists and maps', () => {
    const text = formatManifest(parseManifest(smallest))
    expect(text).not.toMatch(/labels|annotations|context|tools|env|agentskills/)
  })

  it('writes texts of every kind so that they read back', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((one) => !one.includes('\0'))
    fc.assert(
      fc.property(text, fc.dictionary(fc.stringMatching(/^[a-z/.]{1,9}$/), text), (one, labels) => {
        const { metadata, spec } = parseManifest(smallest)
        const changed: AgentManifest = {
          ...parseManifest(smallest),
          metadata: { ...metadata, labels: { ...labels } },
          spec: { ...spec, task: { ...spec.task, instruction: one } },
        }
        expect(parseManifest(formatManifest(changed))).toEqual(changed)
      }),
      { numRuns: 300 },
    )
  })

  it('writes what reads back, whatever part of a manifest is replaced by something it allows', () => {
    const whole = JSON.parse(JSON.stringify(everything))
    const paths = pathsOf(whole)
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const copy = structuredClone(whole)
        replaceAt(copy, path, value)
        try {
          const manifest = parseManifestValue(copy)
          expect(parseManifest(formatManifest(manifest))).toEqual(manifest)
        } catch (error) {
          expect(error).toMatchObject({ code: 'manifest.invalid' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

type Path = readonly (string | number)[]

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
  return [path, ...[...entries].flatMap(([key, inner]) => pathsOf(inner, [...path, key]))].slice(
    path.length === 0 ? 1 : 0,
  )
}

function replaceAt(root: Record<string, unknown>, path: Path, value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  const next = root[key]
  if (rest.length === 0) root[key] = value
  else if (isRecord(next)) replaceAt(next, rest, value)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
