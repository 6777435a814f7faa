import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { AegisError } from '@aegis/core'
import { prepared } from './prepared.ts'
import { createPrivateFile } from './private-file.ts'
import { storeCorrupt } from './sqlite-error.ts'

/**
 * Opens the database file for this process alone, makes it where there is none (mode 0600), and
 * looks it over when the last owner did not close it.
 * @throws AegisError `unavailable` / `store.corrupt` · `unsupported` / `store.foreign` ·
 * `unavailable` / `store.unopenable`, and errors of SQLite, not yet translated
 */
export function openDatabase(path: string): DatabaseSync {
  createPrivateFile(path)
  const leftOpen = sizeOf(`${path}-wal`) > 0
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('pragma locking_mode = exclusive')
    refuseForeign(database, path)
    database.exec(settings)
    if (leftOpen) check(database, path)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Marks the file as ours (`file` shows it): "AEGI". */
const applicationId = 0x41454749

/**
 * `synchronous = full` makes each commit wait for the disk. `secure_delete` overwrites what was
 * removed. The empty transaction takes the lock of `locking_mode`, which comes before the first
 * access: it keeps other processes out, dies with this one, and needs no shared memory.
 */
const settings = `
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma secure_delete = on;
  pragma trusted_schema = off;
  pragma temp_store = memory;
  pragma cache_size = -8192;
  pragma journal_size_limit = 67108864;
  begin immediate; commit;
`

function refuseForeign(database: DatabaseSync, path: string): void {
  const found = prepared<{ readonly application_id: number }>(
    database,
    'pragma application_id',
  ).get()?.application_id
  if (found === applicationId) return
  if (found === 0 && prepared(database, 'select 1 from sqlite_schema').get() === undefined) {
    database.exec(`pragma application_id = ${applicationId}`)
    return
  }
  throw new AegisError(
    'unsupported',
    'store.foreign',
    `${path} is a database of another program. Move it away, or choose another home: AEGIS_HOME=<folder>.`,
    { details: { path, applicationId: found } },
  )
}

/** Reads the whole file, so only after a crash; SQLite itself recovers, but a disk may have lied. */
function check(database: DatabaseSync, path: string): void {
  const result = prepared<{ readonly quick_check: string }>(database, 'pragma quick_check(1)').get()
    ?.quick_check
  if (result !== 'ok') throw storeCorrupt(path, result ?? 'quick_check')
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0
