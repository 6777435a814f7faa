import { expect, it } from 'vitest'
import {
  count,
  formatAge,
  formatBytes,
  formatCost,
  formatMs,
  formatSpan,
  formatUptime,
} from './format.ts'

it('writes durations the way one says them', () => {
  expect([0, 999, 1000, 59_949, 59_951, 3_599_000, 7_380_000].map(formatMs)).toEqual([
    '0 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '1m 0s',
    '59m 59s',
    '2h 3m',
  ])
})

it('writes how long a daemon has been up in days, hours and minutes', () => {
  expect([0, 59, 300, 10_800, 87_120].map(formatUptime)).toEqual([
    '0m',
    '0m',
    '5m',
    '3h 0m',
    '1d 0h 12m',
  ])
})

it('writes sizes with the units of the manifest', () => {
  expect([0, 512, 1536, 134_217_728, 1.5 * 1024 ** 4].map(formatBytes)).toEqual([
    '0 B',
    '512 B',
    '1.5 KiB',
    '128 MiB',
    '1.5 TiB',
  ])
})

it('writes how long ago something was', () => {
  const now = Date.parse('2026-11-22T15:00:00.000Z')
  const ages = ['14:59:59', '14:59:30', '14:10:00', '12:00:00'].map((time) =>
    formatAge(`2026-11-22T${time}.000Z`, now),
  )
  expect(ages).toEqual(['just now', '30s ago', '50m ago', '3h ago'])
})

it('writes spans in one unit where there is little room, whatever the clocks say', () => {
  const hourMs = 3_600_000
  const spans = [-5, 59_999, 60_000, 2 * hourMs, 47 * hourMs, 48 * hourMs, 20_000 * 24 * hourMs]
  expect(spans.map(formatSpan)).toEqual(['0s', '59s', '1m', '2h', '47h', '2d', '54y'])
})

it('counts in singular and plural, and keeps costs short', () => {
  expect([count(1, 'agent'), count(0, 'agent')]).toEqual(['1 agent', '0 agents'])
  expect([formatCost(0.00123456), formatCost(12)]).toEqual(['0.00123', '12'])
})
