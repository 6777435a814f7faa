import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { AegisError } from '@aegis/core'

/**
 * Makes sure that `path` exists and that only its owner may read it. A file that exists is never
 * opened: closing it again would drop the locks that this process holds on it (POSIX).
 * @throws AegisError `unavailable` / `store.unopenable`
 */
export function createPrivateFile(path: string): void {
  try {
    if (existsSync(path)) chmodSync(path, 0o600)
    else closeSync(openSync(path, 'wx', 0o600))
  } catch (cause) {
    throw new AegisError(
      'unavailable',
      'store.unopenable',
      `${path} cannot be made or owned. Check that its folder exists and that this user owns both.`,
      { cause, details: { path } },
    )
  }
}
