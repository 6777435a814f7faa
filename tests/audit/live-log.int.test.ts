import { bodiesDropped } from '@aegis/core/audit'
import { expect, it } from 'vitest'
import { appendEntries, openAuditLog } from './open-audit-log.ts'

const forever = new AbortController().signal

it('a log is sound also while it goes on', async () => {
  await using log = await openAuditLog()
  await appendEntries(log, 3000, 64)
  const reports = async () => {
    for (let round = 0; round < 12; round += 1) {
      const report = await log.audit.verify(() => undefined, forever)
      expect(report.findings).toEqual([])
      expect(report.checked).toBe(report.size)
    }
  }
  await Promise.all([reports(), appendEntries(log, 20_000, 16)])
  expect(await log.audit.verify(() => undefined, forever)).toMatchObject({ size: 23_000 })
})

it('a log is sound also while its retention drops bodies', async () => {
  await using log = await openAuditLog()
  await appendEntries(log, 5000, 64)
  let hasDropped = false
  const report = await log.audit.verify(({ checked }) => {
    if (hasDropped || checked < 1000) return
    hasDropped = true
    // Behind where it has read, and before it.
    void log.store.audit.dropBodies(2560, {
      at: '2026-11-22T15:04:05.123Z',
      type: bodiesDropped,
      data: { before: 2560 },
    })
  }, forever)
  expect(hasDropped).toBe(true)
  expect(report).toMatchObject({ isSound: true, size: 5001, dropped: 2560 })
})

it('proofs, tiles and checkpoints fit together while the log goes on', async () => {
  await using log = await openAuditLog()
  await appendEntries(log, 300, 64)
  const ask = async () => {
    for (let round = 0; round < 40; round += 1) {
      expect(await log.audit.prove(round * 7)).toContain(`index ${round * 7}\n`)
      expect(await log.audit.prove(5, 6 + round)).toContain(`\n${6 + round}\n`)
    }
  }
  await Promise.all([ask(), appendEntries(log, 5000, 8)])
})
