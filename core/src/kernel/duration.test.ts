import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from './aegis-error.ts'
import { formatDuration, parseDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['90', 90_000],
    [90, 90_000],
    [' 1s ', 1000],
    ['0', 0],
  ])('reads %j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    '',
    's',
    '1.5s',
    '-1s',
    '1 s',
    '1S',
    '1d',
    '1m30s',
    '500ms',
    '9999999999999s',
    Number.NaN,
  ])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(AegisError)
  })

  it('reads back every whole second that formatDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_999_999_999 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * 1000))).toBe(seconds * 1000)
      }),
    )
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [1, '1s'],
    [90_000, '90s'],
    [300_000, '5m'],
    [7_200_000, '2h'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})
