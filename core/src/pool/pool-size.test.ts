import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrivalRate, withArrival } from './arrival-rate.ts'
import { poolSize } from './pool-size.ts'

const arrivals = (count: number, perSecond: number) => ({ count, perMs: perSecond / 1000 })
const cap = 100

describe('the rate of arrivals', () => {
  it('is taken over the time since the first in the window', () => {
    expect(arrivalRate([0, 50_000, 54_000, 58_000], 60_000, 20_000)).toEqual({
      count: 3,
      perMs: 3 / 10_000,
    })
  })

  it('is nothing where nobody came', () => {
    expect(arrivalRate([], 5, 1000)).toEqual({ count: 0, perMs: 0 })
    expect(arrivalRate([0], 2000, 1000)).toEqual({ count: 0, perMs: 0 })
  })

  it('does not take two at once for a flood', () => {
    expect(arrivalRate([7, 7], 7, 1000).perMs).toBe(2 / 1000)
  })

  it('never counts more than came, and falls while nobody comes', () => {
    const pauses = fc.array(fc.nat(10_000), { maxLength: 400 })
    fc.assert(
      fc.property(pauses, fc.nat(100_000), fc.nat(100_000), (gaps, windowMs, later) => {
        let nowMs = 0
        let times: readonly number[] = []
        for (const gap of gaps) {
          nowMs += gap
          times = withArrival(times, nowMs)
        }
        const now = arrivalRate(times, nowMs, windowMs)
        expect(now.count).toBeLessThanOrEqual(Math.min(gaps.length, 256))
        expect(now.perMs).toBeLessThanOrEqual(now.count / 1000)
        const after = arrivalRate(times, nowMs + later, windowMs + later)
        expect(after.count).toBeGreaterThanOrEqual(now.count)
        expect(arrivalRate(times, nowMs + windowMs + 1, windowMs).count).toBe(0)
      }),
    )
  })
})

describe('the size of a pool', () => {
  it.each([
    ['nobody came', arrivals(0, 0), 0],
    ['one came, which is no stream', arrivals(1, 1), 0],
    ['some come now and then', arrivals(2, 0.03), 1],
    ['ten a second come, one while one boots', arrivals(20, 10), 3],
    ['forty a second come, four while one boots', arrivals(80, 40), 8],
  ])('follows the load: %s', (_what, rate, size) => {
    expect(poolSize({ floor: 0, arrivals: rate, bootMs: 100, cap })).toBe(size)
  })

  it('is never below the floor, however idle', () => {
    expect(poolSize({ floor: 4, arrivals: arrivals(0, 0), bootMs: 100, cap })).toBe(4)
  })

  it('is never above the cap, not even for the floor', () => {
    expect(poolSize({ floor: 9, arrivals: arrivals(0, 0), bootMs: 100, cap: 3 })).toBe(3)
  })

  it('never shrinks when more come, boots take longer, or the floor rises', () => {
    const demand = fc.record({
      floor: fc.nat(50),
      count: fc.nat(300),
      perMs: fc.double({ min: 0, max: 1, noNaN: true }),
      bootMs: fc.nat(60_000),
    })
    const size = ({
      floor,
      count,
      perMs,
      bootMs,
    }: typeof demand extends fc.Arbitrary<infer D> ? D : never) =>
      poolSize({ floor, arrivals: { count, perMs }, bootMs, cap: 1000 })
    fc.assert(
      fc.property(demand, demand, (one, other) => {
        const more = {
          floor: Math.max(one.floor, other.floor),
          count: Math.max(one.count, other.count),
          perMs: Math.max(one.perMs, other.perMs),
          bootMs: Math.max(one.bootMs, other.bootMs),
        }
        expect(size(more)).toBeGreaterThanOrEqual(size(one))
        expect(Number.isInteger(size(one))).toBe(true)
      }),
    )
  })
})
