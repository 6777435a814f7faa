import { expect, it } from 'vitest'
import { appendEntries, openAuditLog } from './open-audit-log.ts'

// A twentieth of what bench/suites/audit.ts does, with its goals in proportion and room for a
// machine that others use too.

it('50,000 entries are appended quickly, verified quickly, and each is proven at once', async () => {
  await using log = await openAuditLog()
  const appendMs = await appendEntries(log, 50_000, 512)
  expect(50_000 / (appendMs / 1000)).toBeGreaterThan(1000)
  const beganMs = performance.now()
  const report = await log.audit.verify(() => undefined, new AbortController().signal)
  expect(report).toMatchObject({ isSound: true, checked: 50_000, dropped: 0 })
  expect(performance.now() - beganMs).toBeLessThan(30_000)
  const times: number[] = []
  for (let index = 0; index < 50_000; index += 997) {
    const startMs = performance.now()
    expect(await log.audit.prove(index)).toContain(`index ${index}\n`)
    times.push(performance.now() - startMs)
  }
  expect(times.toSorted((a, b) => a - b)[times.length >> 1]).toBeLessThan(100)
}, 120_000)
