import { DatabaseSync } from 'node:sqlite'
import { auditTools, homeAt } from '@aegis/daemon'
import { expect } from 'vitest'

/**
 * Looks into the store of a home that nobody has open: whole, without a gap in any stream, and with
 * an audit that holds what was signed.
 */
export async function expectSoundStore(home: string): Promise<void> {
  expectSoundTables(home)
  const { verifyAuditOfHome } = await auditTools()
  const { isSound, findings, size } = await verifyAuditOfHome(home, {
    witnesses: [],
    onProgress: () => undefined,
    signal: new AbortController().signal,
  })
  expect(findings).toEqual([])
  expect(isSound).toBe(true)
  expect(size).toBeGreaterThan(0)
}

function expectSoundTables(home: string): void {
  using database = new DatabaseSync(homeAt(home).database, { readOnly: true })
  expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const gaps = 'select stream from events group by stream having count(*) <> max(version)'
  expect(database.prepare(gaps).all()).toEqual([])
}
