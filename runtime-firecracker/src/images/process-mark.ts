import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/**
 * Names a file after this process, `<pid>-<start>-<random>`, so that others can tell whether its
 * owner still lives. The start makes it another process than a later one of the same number.
 */
export async function processMark(): Promise<string> {
  return `${process.pid}-${await startOf(process.pid)}-${randomUUID().slice(0, 8)}`
}

/** Whether the process that a mark names still runs; no mark at all counts as one that ended. */
export async function isAlive(mark: string): Promise<boolean> {
  const [, pid, start] = /^(\d+)-(\d+)-[0-9a-f]{8}$/.exec(mark) ?? []
  return pid !== undefined && (await startOf(Number(pid))) === start
}

/** In ticks since the machine started; the name before it may hold anything. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
