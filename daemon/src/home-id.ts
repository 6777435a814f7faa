import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { homeAt } from './home.ts'

/**
 * What tells this home from all others, whatever its path: the same at every start, once the home
 * exists. Before that, a new one each time.
 */
export async function homeIdOf(home: string): Promise<string> {
  const path = homeAt(home).nodeId
  const stored = await readId(path)
  if (stored !== undefined) return stored
  const fresh = randomUUID()
  // Linked into place, so that of two that start at once both go by the same whole id.
  const unfinished = `${path}.${fresh}`
  try {
    // A file without an id is what a full disk or a crash left.
    if (await isEmpty(path)) await rm(path)
    await writeFile(unfinished, `${fresh}\n`, { mode: 0o600 })
    await link(unfinished, path)
  } catch {
    return (await readId(path)) ?? fresh
  } finally {
    await rm(unfinished, { force: true })
  }
  return fresh
}

async function readId(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.trim() || undefined
}

const isEmpty = (path: string): Promise<boolean> =>
  readFile(path, 'utf8').then(
    (text) => text.trim() === '',
    () => false,
  )
