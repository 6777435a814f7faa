import { constants } from 'node:fs'
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { AegisError } from '@aegis/core'

const removeDeadlineMs = 10_000

/** Writes one control file. The kernel's refusal keeps its errno and gains the file's name. */
export async function writeControl(file: string, value: string | number): Promise<void> {
  // Without O_CREAT, so that a file this kernel lacks is ENOENT.
  await writeFile(file, String(value), { flag: constants.O_WRONLY | constants.O_TRUNC })
}

/** Reads one number; undefined for `max` and for a file that is not there (any more). */
export async function readNumber(file: string): Promise<number | undefined> {
  const text = await readText(file)
  const value = Number(text?.trim() || Number.NaN)
  return Number.isFinite(value) ? value : undefined
}

/** Reads a `name value` table such as memory.stat; empty when the file is not there (any more). */
export async function readTable(file: string): Promise<ReadonlyMap<string, number>> {
  return parseTable((await readText(file)) ?? '')
}

/** Parses lines of `name value`; lines of another form are left out. */
export function parseTable(text: string): ReadonlyMap<string, number> {
  const rows = text.split('\n').map((line) => /^(\S+) (\d+)$/.exec(line))
  return new Map(rows.flatMap((row) => (row?.[1] ? [[row[1], Number(row[2])]] : [])))
}

/** Names of the groups directly below `directory`; none when it is not there. */
export async function childGroups(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(absent)
  return (entries ?? []).filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}

/** Makes one group; one that is left over under the same name is taken. */
export async function makeGroup(directory: string): Promise<void> {
  await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** Sends KILL to all that is inside: at once where the kernel can (5.14), else until none is left. */
export async function killGroup(directory: string): Promise<void> {
  const atOnce = await writeControl(`${directory}/cgroup.kill`, 1).then(
    () => true,
    () => false,
  )
  if (atOnce) return
  for (const pid of await groupPids(directory)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended between the reading and the signal.
    }
  }
}

/** Removes a group, killing what still appears in it until it is empty. */
export async function removeGroup(directory: string): Promise<void> {
  const deadline = performance.now() + removeDeadlineMs
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    try {
      return await rmdir(directory)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return
      if (code !== 'EBUSY') throw error
      if (performance.now() > deadline) {
        const pids = await groupPids(directory)
        throw new AegisError(
          'unavailable',
          'limits.busy',
          `Processes ${pids.join(', ')} in ${directory} do not end. A disk or kernel that hangs is the usual reason; they are swept at the next start`,
          { cause: error },
        )
      }
    }
    await killGroup(directory)
    // The kernel tells nobody when a version 1 group becomes empty.
    await delay(waitMs)
  }
}

async function groupPids(directory: string): Promise<readonly number[]> {
  const text = (await readText(`${directory}/cgroup.procs`)) ?? ''
  // Zero stands for a process outside of our own pid namespace: nothing that we could signal.
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0)
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(absent)
}

/** For control files that only some kernels have. */
export function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Space-separated words, as in cgroup.controllers; none when the file is not there. */
export async function readWords(file: string): Promise<readonly string[]> {
  return ((await readText(file)) ?? '').split(/\s+/).filter((word) => word !== '')
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENODEV') return undefined
  throw error
}
