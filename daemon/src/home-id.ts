import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { homeAt } from './home.ts'

/** What tells this home from all others, whatever its path: the same at every start, once it exists. */
export async function homeIdOf(home: string): Promise<string> {
  const path = homeAt(home).nodeId
  const stored = await readFile(path, 'utf8').catch(() => undefined)
  if (stored !== undefined && stored.trim() !== '') return stored.trim()
  const fresh = randomUUID()
  await writeFile(path, `${fresh}\n`, { mode: 0o600, flag: 'wx' }).catch(() => undefined)
  return fresh
}
