import { readFileSync } from 'node:fs'
import { AegisError, type Bootstrap, type NodeConfig } from '@aegis/core'
import { bootstrapFor } from '@aegis/sandbox'

/**
 * The bootstrap script of a language: the one that comes with AEGIS, or for Python the one that
 * `spec.runtime.bootstrap_script` names.
 * @throws AegisError `invalid` / `config.bootstrap` when that file cannot be read
 */
export function bootstrapOf({
  spec,
}: NodeConfig): (language: 'python' | 'javascript') => Bootstrap {
  const own = spec.runtime.bootstrap_script
  if (own === undefined) return bootstrapFor
  const content = readOwnBootstrap(own)
  return (language) => {
    const standard = bootstrapFor(language)
    if (language !== 'python') return standard
    // Nothing is known of how it takes its prompt, but that it is as a task begins.
    return { ...standard, file: { ...standard.file, content }, standsBy: false }
  }
}

function readOwnBootstrap(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new AegisError(
      'invalid',
      'config.bootstrap',
      `spec.runtime.bootstrap_script names ${path}, which cannot be read. Mend the path, or leave the key out to use the one that comes with AEGIS.`,
      { cause },
    )
  }
}
