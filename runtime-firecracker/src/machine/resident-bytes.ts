import { readFile } from 'node:fs/promises'

/**
 * Resident memory of all processes of a group, in bytes: what each has for itself, and its share of
 * what it has with others. Undefined once there is none.
 */
export async function residentBytesOf(procsFiles: readonly string[]): Promise<number | undefined> {
  const [file] = procsFiles
  if (file === undefined) return undefined
  const pids = (await read(file)).split('\n').filter((pid) => /^[1-9]\d*$/.test(pid))
  const sizes = await Promise.all(pids.map(residentBytes))
  const known = sizes.filter((size) => size !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, size) => sum + size, 0)
}

async function residentBytes(pid: string): Promise<number | undefined> {
  const kibibytes = /^Pss:\s*(\d+) kB$/m.exec(await read(`/proc/${pid}/smaps_rollup`))?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
