import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A folder of npm packages on the host that sandboxes may be lent. */
export interface LentPackages extends AsyncDisposable {
  readonly directory: string
}

const ours = fileURLToPath(new URL('../../node_modules', import.meta.url))

/**
 * The packages of this repository; or, where it lies below /tmp, which a sandbox has of its own, a
 * copy of the named ones and of all they depend on.
 */
export async function lendPackages(names: readonly string[]): Promise<LentPackages> {
  if (!ours.startsWith('/tmp/')) return { directory: ours, async [Symbol.asyncDispose]() {} }
  const root = await mkdtemp('/var/tmp/aegis-packages-')
  const directory = join(root, 'node_modules')
  const wanted = new Set(names)
  for (const name of wanted) {
    await cp(join(ours, name), join(directory, name), { recursive: true })
    const about = JSON.parse(await readFile(join(ours, name, 'package.json'), 'utf8'))
    for (const dependency of Object.keys(about.dependencies ?? {})) wanted.add(dependency)
  }
  return {
    directory,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
}
