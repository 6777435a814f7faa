import type { Clock } from '@aegis/core'
import { makeMerkleHash, readEntry, storeSource, verifyLog } from '@aegis/core/audit'
import { makeInMemoryStore, pureSha256 } from '@aegis/core/testing'
import { expect, it } from 'vitest'
import { dropOldBodies, startRetention } from './retention.ts'
import { anEntry, logger, never, pause } from './testing/audit-scene.ts'

const dayMs = 24 * 3_600_000
const day = (number: number) => new Date(Date.UTC(2026, 0, number)).toISOString()
const clockAt = (now: string): Clock => ({
  now: () => now,
  monotonicMs: () => 0,
  sleep: () => new Promise(() => undefined),
})

async function given(days: readonly number[]) {
  const { audit } = makeInMemoryStore()
  for (const [bundle, on] of days.entries()) {
    const entries = Array.from({ length: 256 }, (_, one) =>
      anEntry(256 * bundle + one, { at: day(on) }),
    )
    await audit.record(entries)
  }
  return audit
}

const verify = async (audit: Awaited<ReturnType<typeof given>>) =>
  verifyLog({
    hash: makeMerkleHash(pureSha256),
    origin: 'aegis/test',
    source: storeSource(audit, await audit.size()),
    checkpoints: [],
    pause,
    signal: never,
  })

it('drops whole bundles of old entries, the oldest first, and the log still holds', async () => {
  const audit = await given([1, 1, 2, 9])
  const options = { store: audit, retentionMs: 5 * dayMs, clock: clockAt(day(10)) }
  expect(await dropOldBodies(options, never)).toBe(768)
  expect(await audit.firstKept()).toBe(768)
  expect(await verify(audit)).toMatchObject({ isSound: true, dropped: 768, size: 1025 })
  const [last] = await audit.entries(1024, 1)
  expect(readEntry(last?.body ?? new Uint8Array())).toMatchObject({
    type: 'audit.bodies-dropped',
    at: day(10),
    data: { before: 768, olderThan: day(5) },
  })
  expect(await dropOldBodies(options, never)).toBe(0)
  expect(await audit.size()).toBe(1025)
})

it('keeps a bundle of which one entry is young, and all behind it', async () => {
  const audit = await given([1, 1])
  await audit.record([
    anEntry(512, { at: day(9) }),
    ...Array.from({ length: 300 }, () => anEntry(0, { at: day(1) })),
  ])
  const options = { store: audit, retentionMs: 5 * dayMs, clock: clockAt(day(10)) }
  expect(await dropOldBodies(options, never)).toBe(512)
  expect(await audit.firstKept()).toBe(512)
})

it('drops many in batches, each with its entry', async () => {
  const audit = await given(Array.from({ length: 40 }, () => 1))
  const options = { store: audit, retentionMs: 5 * dayMs, clock: clockAt(day(10)) }
  expect(await dropOldBodies(options, never)).toBe(40 * 256)
  expect(await audit.size()).toBe(40 * 256 + 2)
  expect(await verify(audit)).toMatchObject({ isSound: true, dropped: 40 * 256 })
})

it('runs when the node starts, and again when an hour has passed', async () => {
  const audit = await given([1, 9])
  const hours: (() => void)[] = []
  let now = day(10)
  const dropped: unknown[] = []
  const slept = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const clock: Clock = {
    now: () => now,
    monotonicMs: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        expect(ms).toBe(3_600_000)
        signal.addEventListener('abort', () => reject(signal.reason))
        slept[hours.length]?.resolve()
        hours.push(resolve)
      }),
  }
  const log = { ...logger, info: (fields: object) => void dropped.push(fields) }
  await using _retention = startRetention({
    store: audit,
    retentionMs: 5 * dayMs,
    clock,
    logger: log,
  })
  await slept[0]?.promise
  expect(await audit.firstKept()).toBe(256)
  now = day(20)
  hours[0]?.()
  await slept[1]?.promise
  expect(await audit.firstKept()).toBe(512)
  expect(dropped).toEqual([{ dropped: 256 }, { dropped: 256 }])
})
