import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { callEngine } from './engine-api.ts'
import { type ImageName, type ImageRecipe, imageRecipes } from './image-recipes.ts'

const run = promisify(execFile)
const directory = fileURLToPath(new URL('../../node_modules/.cache/aegis/images', import.meta.url))

/** Puts an image into an engine, making it first when no run has yet. Gives its reference. */
export async function importImage(socketPath: string, name: ImageName): Promise<string> {
  const { reference, changes } = imageRecipes[name]
  const isThere = await callEngine(socketPath, 'GET', `/images/${reference}/json`).catch(
    () => undefined,
  )
  if (isThere) return reference
  const tar = await imageTar(name)
  const [repo, tag] = reference.split(':')
  const answer = await callEngine(socketPath, 'POST', '/images/create', {
    query: { fromSrc: '-', repo: repo ?? '', tag: tag ?? '', changes },
    body: createReadStream(tar),
  })
  if (answer.includes('"error"')) throw new Error(`${tar} cannot be imported: ${answer.trim()}`)
  return reference
}

/** The root file system of an image as a tar file, made once for all runs. */
export async function imageTar(name: ImageName): Promise<string> {
  const recipe = imageRecipes[name]
  const tar = join(directory, `${name}-${await digestOf(recipe)}.tar`)
  if (await exists(tar)) return tar
  await mkdir(directory, { recursive: true })
  const draft = join(directory, `${name}.tar`)
  // Several processes may need it at once: one makes it and removes what earlier recipes made.
  const script = `[ -e "$2" ] || { ${recipe.script}\nrm -f "$3"-*.tar; mv "$1" "$2"; }`
  const prefix = join(directory, name)
  await run('flock', [`${prefix}.lock`, 'sh', '-euc', script, 'sh', draft, tar, prefix])
  return tar
}

async function digestOf({ script, sources }: ImageRecipe): Promise<string> {
  const hash = createHash('sha256').update(process.arch).update(script)
  for (const path of sources) hash.update(await readFile(path))
  return hash.digest('hex').slice(0, 16)
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
