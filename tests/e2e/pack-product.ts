import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Puts what is published into a directory that has no tarball yet, and gives its path. One at a
 * time on this clone, since each packing builds `dist` anew.
 */
export async function packProduct(directory: string): Promise<string> {
  const lock = join(root, 'node_modules/.cache/aegis/pack.lock')
  const pack = ['npm', 'pack', '--pack-destination', directory, '--loglevel=error']
  await run('sh', ['-euc', 'mkdir -p "$(dirname "$1")"; exec flock "$@"', 'sh', lock, ...pack], {
    cwd: root,
  })
  const name = (await readdir(directory)).find((file) => file.endsWith('.tgz'))
  if (name === undefined) throw new Error(`npm pack left no tarball in ${directory}`)
  return join(directory, name)
}
