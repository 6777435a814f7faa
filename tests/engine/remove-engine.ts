import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const cgroupRoot = '/sys/fs/cgroup'
const programs = ['dockerd', 'containerd', 'containerd-shim-runc-v2', 'runc', 'runsc']
const deadlineMs = 20_000

/**
 * Ends all that an engine started, without asking it, and removes what it had: containers, mounts,
 * cgroups, sockets, data. Repeatable; two may do it at once.
 */
export async function removeEngine(directory: string): Promise<void> {
  const shimSockets = await shimSocketsOf(directory)
  await killProcesses(directory)
  await unmountBelow(directory)
  await removeGroups(directory)
  // A shim that is killed leaves its socket, outside of the engine's directory.
  for (const path of shimSockets) await rm(path, { force: true })
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
}

/** The name of the cgroup, in each hierarchy, that holds all containers of an engine. */
export const engineGroup = (directory: string): string => basename(directory)

/** The programs of an engine and whatever runs in its containers, except what is dead already. */
export async function engineProcesses(directory: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const ofEngine = pids.map(async (pid) => {
    const [program, commandLine] = await Promise.all([
      readlink(`/proc/${pid}/exe`).catch(() => ''),
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    ])
    return programs.includes(basename(program)) && commandLine.includes(`${directory}/`)
      ? [Number(pid)]
      : []
  })
  const groups = await groupsOf(directory)
  const inGroups = groups.map(async (group) => {
    const members = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '')
    return members.split('\n').map(Number)
  })
  const found = await Promise.all([...ofEngine, ...inGroups])
  return [...new Set(found.flat())].filter((pid) => pid > 0)
}

/** Mounts below the directory, the latest first. */
export async function mountsBelow(directory: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const points = lines.map((line) => line.split(' ')[4] ?? '')
  return points.filter((point) => point.startsWith(`${directory}/`)).reverse()
}

async function killProcesses(directory: string): Promise<void> {
  const deadline = Date.now() + deadlineMs
  // A dying engine may still start something, hence until none is seen.
  for (;;) {
    const pids = await engineProcesses(directory)
    if (pids.length === 0) return
    if (Date.now() > deadline) throw new Error(`${directory}: processes ${pids} do not end`)
    for (const pid of pids) kill(pid)
    await delay(10)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}

async function unmountBelow(directory: string): Promise<void> {
  for (const point of await mountsBelow(directory)) {
    await run('umount', ['--lazy', point]).catch(() => undefined)
  }
}

/** Groups of the engine in all hierarchies, the innermost first. */
async function groupsOf(directory: string): Promise<readonly string[]> {
  const hierarchies = await readdir(cgroupRoot).catch(() => [])
  const roots = ['', ...hierarchies].map((name) => join(cgroupRoot, name, engineGroup(directory)))
  return (await Promise.all(roots.map(withDescendants))).flat().reverse()
}

async function withDescendants(group: string): Promise<readonly string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => undefined)
  if (!entries) return []
  const children = entries.filter((entry) => entry.isDirectory())
  const below = await Promise.all(children.map(({ name }) => withDescendants(join(group, name))))
  return [group, ...below.flat()]
}

async function removeGroups(directory: string): Promise<void> {
  for (const group of await groupsOf(directory)) await rmdir(group).catch(() => undefined)
}

async function shimSocketsOf(directory: string): Promise<readonly string[]> {
  const tasks = join(directory, 'run/containerd/daemon/io.containerd.runtime.v2.task/moby')
  const names = await readdir(tasks).catch(() => [])
  const addresses = await Promise.all(
    names.map((name) => readFile(join(tasks, name, 'address'), 'utf8').catch(() => '')),
  )
  return addresses.flatMap(
    (address) => /^unix:\/\/(\/run\/containerd\/s\/\w+)$/.exec(address)?.[1] ?? [],
  )
}
