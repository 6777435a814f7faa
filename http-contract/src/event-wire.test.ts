import { agentId, type ExecutionEvent, executionId, sandboxId } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { eventFromWire, eventToWire } from './event-wire.ts'

const at = '2026-11-22T15:04:05.123Z'
const id = executionId('0b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b')
const box = sandboxId('sandbox-1')
const usage = { cpuUserMs: 1, cpuSystemMs: 0.5, maxRssBytes: 1e6 }
const failure = { cause: 'exit_code', message: 'It exited with 3.', exitCode: 3 } as const
const iteration = 1
const connection = { connection: 1, host: 'example.com', port: 443 }

type EventOf<Type> = Extract<ExecutionEvent, { type: Type }>

/** One of each, so that a new event cannot be forgotten. */
const everyEvent: { readonly [Type in ExecutionEvent['type']]: EventOf<Type> } = {
  'execution.queued': {
    type: 'execution.queued',
    agentId: agentId('1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b'),
    agentName: 'echo',
    agentRevision: 2,
    input: { nested: [null, 'x'] },
    priority: -100,
    isolation: 'process',
    cpuMillicores: 250,
    memoryBytes: 1e8,
    at,
  },
  'execution.started': { type: 'execution.started', at },
  'execution.image-pulling': {
    type: 'execution.image-pulling',
    progress: {
      reference: 'python:3.11',
      phase: 'downloading',
      layersDone: 1,
      layers: 5,
      downloadedBytes: 1e6,
      totalBytes: 5e7,
    },
    at,
  },
  'execution.image-pulled': {
    type: 'execution.image-pulled',
    image: { reference: 'python:3.11', id: 'sha256:1', digest: 'python@sha256:2' },
    durationMs: 1234,
    at,
  },
  'execution.interrupted': { type: 'execution.interrupted', at },
  'execution.iteration-started': {
    type: 'execution.iteration-started',
    iteration,
    action: 'the prompt',
    at,
  },
  'execution.sandbox-booted': {
    type: 'execution.sandbox-booted',
    iteration,
    sandboxId: box,
    isolation: 'docker',
    bootMs: 12.5,
    warm: true,
    image: 'sha256:1',
    applicationKernel: 'gvisor',
    at,
  },
  'execution.console': {
    type: 'execution.console',
    iteration,
    stream: 'stderr',
    text: '\u001b[31m\r\n',
    at,
  },
  'execution.llm-called': {
    type: 'execution.llm-called',
    iteration,
    call: {
      provider: 'scripted',
      model: 'rules',
      alias: 'default',
      prompt: 'hi',
      response: '',
      error: 'rate limited',
      promptTokens: 1,
      completionTokens: 0,
      cost: 0.000_1,
      durationMs: 2.5,
      attempts: 3,
    },
    at,
  },
  'execution.denied': {
    type: 'execution.denied',
    iteration,
    action: 'dns.resolve',
    subject: 'example.com',
    reason: 'not in the allowlist',
    at,
  },
  'execution.name-asked': { type: 'execution.name-asked', iteration, name: 'example.com', at },
  'execution.connecting': {
    type: 'execution.connecting',
    iteration,
    ...connection,
    address: '192.0.2.1',
    via: 'name',
    reading: 'opaque',
    policies: ['agent/echo/network.allowlist[0]'],
    at,
  },
  'execution.disconnected': {
    type: 'execution.disconnected',
    iteration,
    ...connection,
    bytesOut: 1,
    bytesIn: 2,
    durationMs: 3,
    requests: 1,
    cause: 'idle',
    at,
  },
  'execution.secret-used': {
    type: 'execution.secret-used',
    iteration,
    ...connection,
    secret: 'github',
    place: 'bearer',
    method: 'GET',
    path: '/repos',
    policies: ['agent/echo/secrets.github'],
    at,
  },
  'execution.sandbox-terminated': {
    type: 'execution.sandbox-terminated',
    iteration,
    sandboxId: box,
    cause: 'memory_limit',
    at,
  },
  'execution.iteration-completed': {
    type: 'execution.iteration-completed',
    iteration,
    output: 'done',
    usage,
    at,
  },
  'execution.iteration-failed': {
    type: 'execution.iteration-failed',
    iteration,
    output: '',
    failure,
    at,
  },
  'execution.cancel-requested': { type: 'execution.cancel-requested', reason: 'enough', at },
  'execution.completed': { type: 'execution.completed', output: 'done', iterations: 1, at },
  'execution.failed': { type: 'execution.failed', failure, iterations: 0, at },
  'execution.cancelled': { type: 'execution.cancelled', at },
  'execution.timed-out': {
    type: 'execution.timed-out',
    failure: { cause: 'time_limit', message: 'Too slow.', signal: 'KILL' },
    iterations: 3,
    at,
  },
}

it.each(Object.entries(everyEvent))('carries %s over the wire without loss', (_type, event) => {
  const sent = JSON.stringify(eventToWire(id, { version: 7, event }))
  expect(eventFromWire(JSON.parse(sent))).toEqual({ executionId: id, version: 7, event })
})

it('carries any text and any input without loss', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.jsonValue(), (text, input) => {
      for (const event of [
        { ...everyEvent['execution.console'], text },
        { ...everyEvent['execution.queued'], input },
      ]) {
        const sent = JSON.stringify(eventToWire(id, { version: 1, event }))
        expect(eventFromWire(JSON.parse(sent)).event).toEqual(JSON.parse(JSON.stringify(event)))
      }
    }),
  )
})

it('refuses what is not an event, whatever it is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(() => eventFromWire(value)).toThrow()
    }),
  )
})
