import { describe, expect, it } from 'vitest'
import { aSandbox } from '../testing/a-sandbox.ts'
import { usageOf } from './sandbox-usage.ts'

describe('what sandboxes use', () => {
  it('is the processor time between two looks, over the time between them', () => {
    const before = { atMs: 1000, sandboxes: [aSandbox({ cpuMs: 100 })] }
    const now = { atMs: 3000, sandboxes: [aSandbox({ cpuMs: 600 })] }
    expect(usageOf(before, now)).toMatchObject([{ cpuPercent: 25 }])
  })

  it('is not known of a sandbox that was not there, or that did not answer', () => {
    const sandbox = aSandbox()
    const silent = aSandbox({ stats: undefined })
    const cases = [
      [undefined, sandbox],
      [aSandbox({ id: 's2' }), sandbox],
      [silent, sandbox],
      [sandbox, silent],
    ] as const
    for (const [earlier, later] of cases) {
      const before = earlier && { atMs: 0, sandboxes: [earlier] }
      expect(usageOf(before, { atMs: 1000, sandboxes: [later] })[0]?.cpuPercent).toBeUndefined()
    }
  })

  it('is not known while no time has passed, and never negative', () => {
    const before = { atMs: 0, sandboxes: [aSandbox({ cpuMs: 100 })] }
    const sandboxes = [aSandbox({ cpuMs: 50 })]
    expect(usageOf(before, { atMs: 0, sandboxes })[0]?.cpuPercent).toBeUndefined()
    expect(usageOf(before, { atMs: 10, sandboxes })[0]?.cpuPercent).toBe(0)
  })

  it('comes in an order that does not jump: what runs first, the oldest first', () => {
    const sandboxes = [
      aSandbox({ id: 'cold', state: 'cold' }),
      aSandbox({ id: 'warm', state: 'warm' }),
      aSandbox({ id: 'young', since: '2026-11-22T15:00:01.000Z' }),
      aSandbox({ id: 'b' }),
      aSandbox({ id: 'a' }),
    ]
    const ids = usageOf(undefined, { atMs: 0, sandboxes }).map(({ sandbox }) => sandbox.id)
    expect(ids).toEqual(['a', 'b', 'young', 'warm', 'cold'])
  })
})
