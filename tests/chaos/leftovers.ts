import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { groupsOf } from '../contract/hosts/process-host.ts'
import { eventually } from './eventually.ts'
import { type HomeMark, sandboxProcesses } from './host-processes.ts'
import { smallDiskName } from './small-disk.ts'

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

/** Within the time that a node takes for what it does behind: the removal of what has ended. */
export async function soonNothingIsLeft(mark: HomeMark): Promise<void> {
  const isGone = async () => ((await leftoversOf(mark)).length === 0 ? true : undefined)
  await eventually(isGone).catch(() => {})
  expect(await leftoversOf(mark)).toEqual([])
}

/** Stages and workspaces are mounted only where no other process sees them. */
async function mountsOf({ stateDirectory }: HomeMark): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const isOurs = (line: string) => line.includes('aegis-stage') || line.includes(stateDirectory)
  return lines.filter((line) => isOurs(line) && !line.includes(` ${smallDiskName} `))
}

/**
 * But for the files of /etc that all sandboxes share, and the disk with the guest that all machines
 * do, a sandbox's files go with it: sockets, jails and disks too.
 */
async function filesOf({ stateDirectory }: HomeMark): Promise<readonly string[]> {
  const names = await readdir(stateDirectory, { recursive: true }).catch(() => [])
  const expected = (name: string) =>
    /^(ballast|etc(\/.*)?|workspaces|machines|disks|jails|jails\/firecracker|guest-\w+\.erofs|initramfs-\w+\.cpio)$/.test(
      name,
    )
  return names.filter((name) => !expected(name)).map((name) => join(stateDirectory, name))
}
