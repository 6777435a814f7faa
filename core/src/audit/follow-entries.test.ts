import { expect, it } from 'vitest'
import { makeInMemoryAudit } from '../testing/in-memory-audit.ts'
import type { AuditEntry } from './audit-entry.ts'
import { followEntries } from './follow-entries.ts'

const at = '2026-11-22T15:04:05.123Z'
const entry = (actor: string): AuditEntry => ({ at, type: 'test.happened', actor, data: {} })
const entries = (count: number, actor = 'a') => Array.from({ length: count }, () => entry(actor))

function given() {
  const audit = makeInMemoryAudit()
  const stop = new AbortController()
  const pauses: number[] = []
  const follow = (from: number | undefined, actor?: string) =>
    followEntries(audit, { actor }, from, stop.signal, async () => void pauses.push(1))
  return { audit, stop, pauses, follow }
}

it('tells of what is there and of what comes, each once and in order', async () => {
  const { audit, stop, follow } = given()
  await audit.record(entries(600))
  const seen: number[] = []
  const following = (async () => {
    for await (const { index } of follow(300)) {
      seen.push(index)
      if (index === 599) void audit.record(entries(300))
      if (index === 899) stop.abort()
    }
  })()
  await following
  expect(seen).toEqual(Array.from({ length: 600 }, (_, offset) => 300 + offset))
})

it('lets others have their turn while nothing matches', async () => {
  const { audit, stop, pauses, follow } = given()
  await audit.record(entries(2560))
  await audit.record([entry('b')])
  const followed = follow(0, 'b')
  expect(await followed.next()).toMatchObject({ value: { index: 2560 } })
  expect(pauses.length).toBeGreaterThanOrEqual(10)
  stop.abort()
  expect(await followed.next()).toEqual({ done: true, value: undefined })
})

it('ends when it is told to while it waits', async () => {
  const { stop, follow } = given()
  const next = follow(undefined).next()
  stop.abort()
  expect(await next).toEqual({ done: true, value: undefined })
})
