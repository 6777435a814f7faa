import { agentId, executionId, type SandboxEvent, sandboxId } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  sandboxEvent,
  sandboxStatuses,
  sandboxStatusFromWire,
  sandboxStatusToWire,
} from './sandbox-wire.ts'

const at = '2026-11-22T15:04:05.123Z'
const agent = { agentId: agentId('1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b'), agentName: 'echo' }
const execution = executionId('0b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b')

const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const anyIsolation = fc.constantFrom('process' as const, 'docker' as const, 'firecracker' as const)

it('carries the sandboxes that are there over the wire without loss', () => {
  const anyStatus = fc.record(
    {
      id: fc.string().map(sandboxId),
      isolation: anyIsolation,
      state: fc.constantFrom('cold' as const, 'warm' as const, 'hot' as const),
      agentId: fc.constant(agent.agentId),
      agentName: fc.string(),
      executionId: fc.constant(execution),
      since: fc.constant(at),
      limits: fc.record({ cpuMillicores: fc.nat(), memoryBytes: fc.nat() }),
      stats: fc.record({
        cpuMs: fc.nat(),
        memoryBytes: fc.nat(),
        memoryPeakBytes: fc.nat(),
        pids: fc.nat(),
        ioReadBytes: fc.nat(),
        ioWriteBytes: fc.nat(),
      }),
    },
    {
      requiredKeys: ['id', 'isolation', 'state', 'agentId', 'agentName', 'since', 'limits'],
    },
  )
  fc.assert(
    fc.property(fc.array(anyStatus), (statuses) => {
      const wire = sandboxStatuses.parse(sent(statuses.map(sandboxStatusToWire)))
      expect(wire.map(sandboxStatusFromWire)).toEqual(statuses)
    }),
  )
})

it.each<SandboxEvent>([
  { type: 'sandbox.cold', at, sandboxId: sandboxId('a'), isolation: 'process', ...agent },
  { type: 'sandbox.warm', at, sandboxId: sandboxId('a'), isolation: 'docker', ...agent },
  {
    type: 'sandbox.failed',
    at,
    sandboxId: sandboxId('a'),
    isolation: 'firecracker',
    ...agent,
    executionId: execution,
    reason: 'It used too much memory.',
    cause: 'memory_limit',
  },
])('carries $type over the wire as it is', (event) => {
  expect(sandboxEvent.parse(sent(event))).toEqual(event)
})
