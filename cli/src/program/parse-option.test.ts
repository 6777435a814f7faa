import { expect, it } from 'vitest'
import { parseInterval } from './parse-option.ts'

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
