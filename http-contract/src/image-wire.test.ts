import fc from 'fast-check'
import { expect, it } from 'vitest'
import { agentSummaryFromWire, agentSummaryToWire } from './agent-wire.ts'
import {
  imageSummaries,
  imageSummaryFromWire,
  imageSummaryToWire,
  pruneResult,
  pruneResultFromWire,
  pruneResultToWire,
} from './image-wire.ts'

const instant = fc.constant('2026-11-22T15:04:05.123Z')
const anyImage = fc.record({
  id: fc.string(),
  references: fc.array(fc.string()),
  digests: fc.array(fc.string()),
  sizeBytes: fc.nat(),
  createdAt: instant,
  pulled: fc.boolean(),
})

const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

it('carries images and who needs them over the wire without loss', () => {
  const anySummary = fc
    .tuple(anyImage, fc.array(fc.string()))
    .map(([image, agents]) => ({ ...image, agents }))
  fc.assert(
    fc.property(fc.array(anySummary), (images) => {
      const wire = imageSummaries.parse(sent(images.map(imageSummaryToWire)))
      expect(wire.map(imageSummaryFromWire)).toEqual(images)
    }),
  )
})

it('carries what was pruned, and what was not and why, over the wire without loss', () => {
  const anyKept = fc.record({ image: anyImage, reason: fc.string() })
  fc.assert(
    fc.property(fc.array(anyImage), fc.nat(), fc.array(anyKept), (removed, freedBytes, kept) => {
      const wire = pruneResult.parse(sent(pruneResultToWire({ removed, freedBytes, kept })))
      expect(pruneResultFromWire(wire)).toEqual({ removed, freedBytes, kept })
    }),
  )
})

it('leaves the image out of an agent that runs in none', () => {
  const wire = agentSummaryToWire(
    agentSummaryFromWire({
      id: '1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b',
      name: 'echo',
      version: '1.0.0',
      description: '',
      status: 'active',
      labels: {},
      revision: 1,
      created_at: '2026-11-22T15:04:05.123Z',
      updated_at: '2026-11-22T15:04:05.123Z',
      execution_count: 0,
      image: null,
    }),
  )
  expect(wire.image).toBeNull()
  expect(agentSummaryFromWire(wire)).not.toHaveProperty('image')
})
