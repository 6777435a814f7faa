import { chmodSync, closeSync, openSync } from 'node:fs'
import { AegisError } from '@aegis/core'

/**
 * Makes sure that `path` exists and that only its owner may read it. A file that exists is never
 * opened: closing it again would drop the locks that this process holds on it (POSIX).
 * @throws AegisError `unavailable` / `store.unopenable`
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (isCode(error, 'EEXIST')) chmodSync(path, 0o600)
    else throw unopenable(path, error)
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code

const unopenable = (path: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'store.unopenable',
    `${path} cannot be made. Check that its folder exists and that this user may write there.`,
    { cause, details: { path } },
  )
