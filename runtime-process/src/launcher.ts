import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import { type LocateOptions, nativeProgram } from '@aegis/sandbox'

/**
 * Path of the launcher for this machine, compiled when needed.
 * @throws AegisError `unsupported` / `launch.no-compiler` nothing prebuilt and no C compiler
 */
export const locateLauncher = async (options: LocateOptions): Promise<string> =>
  nativeProgram('launch', launcherDirectory(), options)

/** Beside `src` in a clone; below the package's root when bundled. */
function launcherDirectory(): string {
  const places = ['../launcher', '../runtime-process/launcher']
  const found = places.map((place) => join(import.meta.dirname, place)).find(existsSync)
  if (found !== undefined) return found
  throw new AegisError(
    'unsupported',
    'launch.no-source',
    'The source of the launcher is not in this installation. Install AEGIS again',
  )
}
