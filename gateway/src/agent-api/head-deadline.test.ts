import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { watchHead } from './head-deadline.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const times = { headMs: 100, idleMs: 500 }

it('ends a connection that brings no request', () => {
  const stream = new PassThrough()
  watchHead(stream, times)
  vi.advanceTimersByTime(99)
  expect(stream.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  expect(stream.destroyed).toBe(true)
})

it('waits for an answer as long as it takes, then for the next request', () => {
  const stream = new PassThrough()
  const deadline = watchHead(stream, times)
  deadline.requestBegan()
  vi.advanceTimersByTime(10_000)
  deadline.requestEnded()
  vi.advanceTimersByTime(499)
  expect(stream.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  expect(stream.destroyed).toBe(true)
})
