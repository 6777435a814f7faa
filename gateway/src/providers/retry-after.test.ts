import fc from 'fast-check'
import { expect, it } from 'vitest'
import { retryAfterMs } from './retry-after.ts'

const now = new Date('2026-11-22T10:00:00Z')

it.each([
  [{ 'retry-after': '120' }, 120_000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '1.5' }, 1500],
  [{ 'retry-after-ms': '250', 'retry-after': '9' }, 250],
  [{ 'retry-after': 'Sun, 22 Nov 2026 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sunday, 22-Nov-26 10:00:30 GMT' }, 30_000],
  [{ 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after': '2027' }, 2_027_000],
  [{}, undefined],
])('reads %j as %s ms', (headers, expected) => {
  expect(retryAfterMs(headers, now)).toBe(expected)
})

it('never gives a wait that is negative or no number', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      expect(retryAfterMs({ 'retry-after': value }, now) ?? 0).toBeGreaterThanOrEqual(0)
    }),
  )
})
