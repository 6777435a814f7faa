import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { AgentEvent } from '../agent/agent-event.ts'
import type { ExecutionEvent } from '../execution/execution-event.ts'
import { agentId, sandboxId } from '../kernel/ids.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { makeAuditOf } from './audit-of.ts'

const sha256 = (data: Uint8Array) => hash('sha256', data, 'buffer')
const text = (value: string) => `sha256:${hash('sha256', value)}`
const at = '2026-11-22T15:04:05.123Z'
const secret = 'correct horse battery staple'
const subject = { agentId: 'a', executionId: 'e' }
const usage = { cpuUserMs: 1, cpuSystemMs: 2, maxRssBytes: 3 }
const failure = { cause: 'memory_limit', message: `The agent said: ${secret}` } as const
const agent = agentId('a0000000-0000-4000-8000-000000000000')
const sandbox = sandboxId('50000000-0000-4000-8000-000000000000')

const call = {
  provider: 'openai',
  model: 'gpt',
  alias: 'default',
  prompt: secret,
  response: secret,
  error: secret,
  promptTokens: 3,
  completionTokens: 4,
  cost: 0.5,
  durationMs: 9,
  attempts: 1,
}

/** One of each kind, with what it leaves in the log. */
const table: readonly (readonly [ExecutionEvent, object | undefined])[] = [
  [
    {
      type: 'execution.queued',
      at,
      agentId: agent,
      agentName: 'echo',
      agentRevision: 2,
      input: { b: secret, a: 1 },
      priority: 0,
      isolation: 'process',
      cpuMillicores: 1,
      memoryBytes: 2,
    },
    {
      agentName: 'echo',
      agentRevision: 2,
      input: text(`{"a":1,"b":"${secret}"}`),
      priority: 0,
      isolation: 'process',
      cpuMillicores: 1,
      memoryBytes: 2,
    },
  ],
  [{ type: 'execution.started', at }, {}],
  [{ type: 'execution.interrupted', at, orderly: true }, { orderly: true }],
  [
    { type: 'execution.iteration-started', at, iteration: 1, action: secret },
    { iteration: 1, action: text(secret) },
  ],
  [
    {
      type: 'execution.sandbox-booted',
      at,
      iteration: 1,
      sandboxId: sandbox,
      isolation: 'docker',
      bootMs: 5,
      image: 'node:24',
    },
    { iteration: 1, sandboxId: sandbox, isolation: 'docker', bootMs: 5, image: 'node:24' },
  ],
  [{ type: 'execution.console', at, iteration: 1, stream: 'stdout', text: secret }, undefined],
  [
    { type: 'execution.llm-called', at, iteration: 1, call },
    {
      iteration: 1,
      provider: 'openai',
      model: 'gpt',
      alias: 'default',
      prompt: text(secret),
      response: text(secret),
      promptTokens: 3,
      completionTokens: 4,
      cost: 0.5,
      durationMs: 9,
      attempts: 1,
      failed: true,
    },
  ],
  [
    {
      type: 'execution.denied',
      at,
      iteration: 1,
      action: 'network.connect',
      subject: 'evil.example:443',
      reason: 'No rule permits it.',
      code: 'egress.denied',
      policies: ['a'],
      count: 3,
    },
    {
      iteration: 1,
      action: 'network.connect',
      subject: 'evil.example:443',
      reason: 'No rule permits it.',
      code: 'egress.denied',
      policies: ['a'],
      count: 3,
    },
  ],
  [
    { type: 'execution.name-asked', at, iteration: 1, name: 'example.com' },
    { iteration: 1, name: 'example.com' },
  ],
  [
    {
      type: 'execution.sandbox-terminated',
      at,
      iteration: 1,
      sandboxId: sandbox,
      cause: 'memory_limit',
    },
    { iteration: 1, sandboxId: sandbox, cause: 'memory_limit' },
  ],
  [
    { type: 'execution.iteration-completed', at, iteration: 1, output: secret, usage },
    { iteration: 1, output: text(secret), usage },
  ],
  [
    { type: 'execution.iteration-failed', at, iteration: 1, output: secret, failure, usage },
    { iteration: 1, output: text(secret), cause: 'memory_limit', usage },
  ],
  [{ type: 'execution.cancel-requested', at, reason: 'enough' }, { reason: 'enough' }],
  [
    { type: 'execution.completed', at, output: secret, iterations: 2 },
    { output: text(secret), iterations: 2 },
  ],
  [
    { type: 'execution.failed', at, failure, iterations: 2 },
    { cause: 'memory_limit', iterations: 2 },
  ],
  [
    { type: 'execution.timed-out', at, failure, iterations: 2 },
    { cause: 'memory_limit', iterations: 2 },
  ],
  [{ type: 'execution.cancelled', at, reason: 'enough' }, { reason: 'enough' }],
]

describe('the entry of an event', () => {
  const auditOf = makeAuditOf({ sha256, texts: false })

  it.each(
    table.map(([event, data]) => [event.type, event, data] as const),
  )('of %s holds its facts, and texts only as hashes', (type, event, data) => {
    const entry = auditOf(event, subject)
    if (data === undefined) expect(entry).toBeUndefined()
    else {
      expect(JSON.parse(JSON.stringify(entry))).toEqual({ at, type, ...subject, data })
    }
    expect(JSON.stringify(entry) ?? '').not.toContain(secret)
  })

  it('of a deploy holds the hash of the manifest and what image it runs in', () => {
    const image = { reference: 'node:24', id: 'sha256:1', digest: 'sha256:2' }
    const manifest = aManifest('echo', { version: '3.0.0' })
    const event: AgentEvent = { type: 'agent.updated', at, manifest, revision: 4, image }
    expect(auditOf(event, { agentId: 'a' })).toMatchObject({
      type: 'agent.updated',
      agentId: 'a',
      data: {
        name: 'echo',
        version: '3.0.0',
        revision: 4,
        image,
        manifest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      },
    })
  })

  it('holds prompts and answers too where the operator wants them', () => {
    const withTexts = makeAuditOf({ sha256, texts: true })
    const entry = withTexts({ type: 'execution.llm-called', at, iteration: 1, call }, subject)
    expect(entry?.data).toMatchObject({
      prompt: text(secret),
      promptText: secret,
      responseText: secret,
      error: secret,
    })
  })
})
