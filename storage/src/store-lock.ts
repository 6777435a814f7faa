import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AegisError } from '@aegis/core'
import { createPrivateFile } from './private-file.ts'
import { heldByAnother, translateSqliteError } from './sqlite-error.ts'

/**
 * Makes this process the only one that uses `directory` until the lock is disposed or the process
 * dies, however it dies: the lock is the kernel's, so that none is ever stale.
 * @throws AegisError `conflict` / `home.locked` when another process holds it
 */
export function openStoreLock(directory: string): Disposable {
  const path = join(directory, 'lock.db')
  try {
    // SQLite knows how to lock on each platform, and that other descriptors must not be closed.
    createPrivateFile(path)
    const database = new DatabaseSync(path)
    try {
      // Nothing is ever written, so that a journal would only be litter.
      database.exec('pragma journal_mode = memory; begin exclusive')
    } catch (error) {
      database.close()
      throw error
    }
    return {
      [Symbol.dispose]() {
        if (database.isOpen) database.close()
      },
    }
  } catch (error) {
    const translated = translateSqliteError(error, path)
    if (translated instanceof AegisError && translated.code === 'home.locked') {
      throw new AegisError('conflict', 'home.locked', heldByAnother(directory), {
        cause: error,
        details: { directory },
      })
    }
    throw translated
  }
}
