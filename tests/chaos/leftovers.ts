import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { groupsOf } from '../contract/hosts/process-host.ts'
import { type HomeMark, sandboxProcesses } from './host-processes.ts'

/** What is still there of a home's sandboxes, in words; empty when nothing runs. */
export async function leftoversOf(mark: HomeMark): Promise<readonly string[]> {
  const [processes, groups, mounts, files] = await Promise.all([
    sandboxProcesses(mark),
    groupsOf(mark.stateDirectory),
    mountsOf(mark),
    filesOf(mark),
  ])
  return [
    ...processes.map(({ pid, commandLine }) => `process ${pid}: ${commandLine.slice(0, 200)}`),
    ...groups.map((path) => `cgroup ${path}`),
    ...mounts.map((line) => `mount ${line}`),
    ...files.map((path) => `file ${path}`),
  ]
}

/** Stages and workspaces are mounted only where no other process sees them. */
async function mountsOf({ stateDirectory }: HomeMark): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  return lines.filter((line) => line.includes('aegis-stage') || line.includes(stateDirectory))
}

/** But for the files of /etc that all sandboxes share, a sandbox's files go with it. */
async function filesOf({ stateDirectory }: HomeMark): Promise<readonly string[]> {
  const names = await readdir(stateDirectory, { recursive: true }).catch(() => [])
  const expected = (name: string) =>
    name === 'etc' || name.startsWith('etc/') || name === 'workspaces'
  return names.filter((name) => !expected(name)).map((name) => join(stateDirectory, name))
}
