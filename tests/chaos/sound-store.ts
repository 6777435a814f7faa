import { DatabaseSync } from 'node:sqlite'
import { homeAt } from '@aegis/daemon'
import { expect } from 'vitest'

/** Looks into the store of a home that nobody has open: whole, and without a gap in any stream. */
export function expectSoundStore(home: string): void {
  using database = new DatabaseSync(homeAt(home).database, { readOnly: true })
  expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  const gaps = 'select stream from events group by stream having count(*) <> max(version)'
  expect(database.prepare(gaps).all()).toEqual([])
}
