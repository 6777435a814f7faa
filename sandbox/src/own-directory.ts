import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'

/**
 * A directory of this package: beside `src` in a clone, below the package's root when bundled.
 * @throws AegisError `unsupported` / `sandbox.no-source`
 */
export function ownDirectory(
  name: 'guest' | 'bootstrap' | 'launcher' | 'capture' | 'probe',
): string {
  const places = [join('..', name), join('..', 'sandbox', name)]
  const found = places.map((place) => join(import.meta.dirname, place)).find(existsSync)
  if (found !== undefined) return found
  throw new AegisError(
    'unsupported',
    'sandbox.no-source',
    `The folder "${name}" of the sandbox package is not in this installation. Install AEGIS again`,
  )
}
