import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeEngine } from './remove-engine.ts'

const prefix = 'aegis-engine-'

/** A socket's path may have 107 bytes, and containerd's lies deeper than ours. */
const parent = tmpdir().length <= 20 ? tmpdir() : '/tmp'

/** Makes the directory of one engine. Its name tells its owner, so that it can never lack one. */
export async function makeEngineDirectory(): Promise<string> {
  const owner = `${process.pid}.${await startTimeOf(process.pid)}`
  return mkdtemp(join(parent, `${prefix}${owner}-`))
}

/** Removes engines whose owner is gone, whatever ended it. */
export async function reapEngines(): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid, startTime] = /^aegis-engine-(\d+)\.(\d+)-/.exec(name) ?? []
    if (pid === undefined) continue
    if ((await startTimeOf(Number(pid))) !== startTime) await removeEngine(join(parent, name))
  }
}

/** In clock ticks since boot; a process id alone may be used again. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return afterName[0] === 'Z' ? undefined : afterName[19]
}
