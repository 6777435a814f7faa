import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeRateLimit } from './rate-limit.ts'

const limitAt = (perMinute: number, maxKeys = 10) => {
  let nowMs = 0
  const limit = makeRateLimit({ perMinute, maxKeys, clock: { monotonicMs: () => nowMs } })
  return { limit, pass: (ms: number) => (nowMs += ms) }
}

describe('a rate limit', () => {
  it('permits a burst of a minute, then one at a time, and says when', () => {
    const { limit, pass } = limitAt(60)
    for (let n = 0; n < 60; n += 1) expect(limit.take('a')).toBe(0)
    expect(limit.take('a')).toBe(1000)
    pass(400)
    expect(limit.take('a')).toBe(600)
    pass(600)
    expect(limit.take('a')).toBe(0)
    expect(limit.take('a')).toBe(1000)
    expect(limit.take('b')).toBe(0)
  })

  it('holds no more than a minute of it, however long nobody came', () => {
    const { limit, pass } = limitAt(2)
    limit.take('a')
    pass(3_600_000)
    expect([limit.take('a'), limit.take('a'), limit.take('a')]).toEqual([0, 0, 30_000])
  })

  it('forgets who was not seen for longest, and no other', () => {
    const { limit } = limitAt(1, 2)
    limit.take('a')
    limit.take('b')
    limit.take('a')
    limit.take('c') // In the place of b.
    expect(limit.take('a')).toBeGreaterThan(0)
    expect(limit.take('b')).toBe(0)
  })

  it('never permits more than two minutes of it in any minute', () => {
    const steps = fc.array(fc.nat(2_000), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), steps, (perMinute, waits) => {
        const { limit, pass } = limitAt(perMinute)
        const taken: number[] = []
        let atMs = 0
        for (const wait of waits) {
          pass(wait)
          atMs += wait
          if (limit.take('a') === 0) taken.push(atMs)
        }
        for (const start of taken) {
          const inside = taken.filter((at) => at >= start && at < start + 60_000)
          expect(inside.length).toBeLessThanOrEqual(2 * perMinute)
        }
      }),
    )
  })
})
