import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'

it('doubles its ceiling with each attempt, up to the cap', () => {
  const random = () => 1
  const waits = [1, 2, 3, 4, 5].map((attempt) =>
    backoffMs(attempt, undefined, { baseMs: 1000, capMs: 6000, random }),
  )
  expect(waits).toEqual([1000, 2000, 4000, 6000, 6000])
})

it('waits no less than it was asked to, and not at all for longer than the cap', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.option(fc.nat(100_000), { nil: undefined }),
      fc.nat(60_000),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, asked, baseMs, chance) => {
        const waitMs = backoffMs(attempt, asked, { baseMs, capMs: 30_000, random: () => chance })
        if (asked !== undefined && asked > 30_000) expect(waitMs).toBeUndefined()
        else {
          expect(waitMs).toBeGreaterThanOrEqual(asked ?? 0)
          expect(waitMs).toBeLessThanOrEqual(30_000)
        }
      },
    ),
  )
})
