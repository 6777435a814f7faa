import { AegisError } from '@aegis/core'

/**
 * What a failure of SQLite means for whoever runs AEGIS. Other errors, our own included, pass
 * through unchanged.
 */
export function translateSqliteError(error: unknown, path: string): unknown {
  if (isClosed(error)) return storeClosed(path, error)
  const result = resultCode(error)
  if (result === undefined || !(error instanceof Error)) return error
  const meaning = meanings[result & 0xff]
  if (meaning === undefined) return error
  const [kind, code, remedy] = meaning(path)
  return new AegisError(kind, code, remedy, {
    cause: error,
    details: { path, sqlite: error.message, result },
  })
}

/** Runs `work`; what it throws is translated. */
export function translating<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw translateSqliteError(error, path)
  }
}

/** Waits for `work`; what it rejects with is translated. */
export async function awaiting<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw translateSqliteError(error, path)
  }
}

export const storeClosed = (path: string, cause?: unknown): AegisError =>
  new AegisError('unavailable', 'store.closed', `The store ${path} is closed: AEGIS is stopping`, {
    cause,
  })

/** What is stored cannot be what was stored. */
export const storeCorrupt = (path: string, where: string, cause?: unknown): AegisError =>
  new AegisError('unavailable', 'store.corrupt', damaged(path), { cause, details: { path, where } })

/** The tree of the audit has a hole: which entry it is the hash of, or the first of those. */
export const auditDamaged = (path: string, entry: number, cause?: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'audit.damaged',
    `The audit in ${path} is damaged at entry ${entry}. See what is wrong with aegis audit verify, and restore the database from a backup that is not older.`,
    { cause, details: { path, entry } },
  )

/** A row with this key is there already. */
export const isTaken = (error: unknown): boolean => ((resultCode(error) ?? 0) & 0xff) === 19

type Meaning = readonly [ConstructorParameters<typeof AegisError>[0], string, string]

/** By primary result code: https://www.sqlite.org/rescode.html */
const meanings: Readonly<Record<number, (path: string) => Meaning>> = {
  // BUSY
  5: (path) => ['conflict', 'home.locked', heldByAnother(path)],
  // READONLY
  8: (path) => [
    'unavailable',
    'store.unwritable',
    `${path} cannot be written. Give this user the file and its folder: chown -R "$(id -un)" and mode 0700.`,
  ],
  // IOERR
  10: (path) => [
    'unavailable',
    'store.io',
    `The disk under ${path} reported an error. See the system log (dmesg), mend the disk, then start again.`,
  ],
  // CORRUPT
  11: (path) => ['unavailable', 'store.corrupt', damaged(path)],
  // FULL
  13: (path) => [
    'exhausted',
    'store.full',
    `No space is left for ${path}. Free some (aegis task remove deletes finished executions), then try again.`,
  ],
  // CANTOPEN
  14: (path) => [
    'unavailable',
    'store.unopenable',
    `${path} cannot be opened. Check that its folder exists and that this user may write there.`,
  ],
  // TOOBIG
  18: () => ['invalid', 'store.too-big', 'The event is larger than the store can hold (1 GB)'],
  // NOTADB
  26: (path) => ['unavailable', 'store.corrupt', damaged(path)],
}

export const heldByAnother = (path: string): string =>
  `Another AEGIS process is using ${path}. Stop it (aegis daemon stop), or choose another home: AEGIS_HOME=<folder>.`

const damaged = (path: string): string =>
  `The database ${path} is damaged. Restore it from a backup, or save what can be read: sqlite3 ${path} .recover | sqlite3 recovered.db. To start empty, move the file and its -wal away.`

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}

/** What node:sqlite says when a closed database is used. */
const isClosed = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE'
