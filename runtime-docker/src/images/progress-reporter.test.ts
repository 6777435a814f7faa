import type { PullProgress } from '@aegis/core'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { makeProgressReporter } from './progress-reporter.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const at = (downloadedBytes: number): PullProgress => ({
  reference: 'python:3.11',
  phase: 'downloading',
  layersDone: 0,
  layers: 1,
  downloadedBytes,
  totalBytes: 100,
})

it('tells the first at once, and the latest when the interval is over', () => {
  const told: number[] = []
  const reporter = makeProgressReporter(({ downloadedBytes }) => told.push(downloadedBytes), 250)
  for (const bytes of [1, 2, 3]) reporter.report(at(bytes))
  expect(told).toEqual([1])
  vi.advanceTimersByTime(250)
  expect(told).toEqual([1, 3])
  vi.advanceTimersByTime(10_000)
  reporter.report(at(4))
  expect(told).toEqual([1, 3, 4])
  reporter.report(at(5))
  reporter[Symbol.dispose]()
  expect(told).toEqual([1, 3, 4, 5])
  expect(vi.getTimerCount()).toBe(0)
})

it('never tells more often than it may, nor keeps back the last', () => {
  const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1 })
  fc.assert(
    fc.property(steps, (waits) => {
      const told: { readonly ms: number; readonly bytes: number }[] = []
      const reporter = makeProgressReporter(
        ({ downloadedBytes: bytes }) => told.push({ ms: Date.now(), bytes }),
        250,
      )
      waits.forEach((ms, bytes) => {
        reporter.report(at(bytes))
        vi.advanceTimersByTime(ms)
      })
      vi.advanceTimersByTime(250)
      expect(told.at(-1)?.bytes).toBe(waits.length - 1)
      told.reduce((before, each) => {
        expect(each.ms - before.ms).toBeGreaterThanOrEqual(250)
        return each
      })
      reporter[Symbol.dispose]()
    }),
  )
})
