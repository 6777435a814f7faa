import { expect, it } from 'vitest'
import { parseInterval, parseLifetime } from './parse-option.ts'

it('takes an interval in seconds and parts of one, with or without the unit', () => {
  expect(['2', '0.5', '10s', '3600'].map(parseInterval)).toEqual([2, 0.5, 10, 3600])
})

it.each([
  '',
  '0',
  '0.09',
  '-1',
  '3601',
  '1e3',
  '1m',
  'NaN',
  '1.',
  '.5',
])('refuses %j as an interval, and says what one is', (text) => {
  expect(() => parseInterval(text)).toThrow('It is a number of seconds from 0.1 to 3600.')
})

it('takes the lifetime of a token with its unit, or never', () => {
  expect(['90s', '12h', '30d', '3650d', 'never'].map(parseLifetime)).toEqual([
    90_000,
    43_200_000,
    2_592_000_000,
    315_360_000_000,
    'never',
  ])
})

it.each([
  '',
  '0s',
  '-1d',
  '30',
  '3651d',
  '1w',
  '1.5h',
  'Never',
  '1 d',
])('refuses %j as the lifetime of a token, and says what one is', (text) => {
  expect(() => parseLifetime(text)).toThrow('with s, m, h or d, at most 3650d, or never')
})
