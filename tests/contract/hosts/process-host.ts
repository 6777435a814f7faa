import { createHash } from 'node:crypto'
import { accessSync } from 'node:fs'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openProcessRuntime, type ProcessRuntimeOptions, sandboxPath } from '@aegis/runtime-process'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { posixCommands } from '../contract-commands.ts'
import { makeHost } from './make-host.ts'
import type { SandboxHost, SandboxHostKind } from './sandbox-host.ts'

export interface ProcessHost extends SandboxHost {
  readonly options: ProcessRuntimeOptions
}

const buildDirectory = fileURLToPath(new URL('../../../node_modules/.cache/aegis', import.meta.url))

/** Namespaces and cgroups of this host. */
export const processHostKind: SandboxHostKind = {
  name: 'process',
  whyNot: whyNoProcessHost,
  commands: posixCommands,
  path: sandboxPath,
  environment: {},
  nodePath: '/opt/aegis/bin/node',
  guestPlace: '/opt/aegis/guest',
  outlivesLimits: true,
  terminalsAct: true,
  bootsImages: false,
  containers: false,
  lends: true,
  ownKernel: false,
  slowness: 1,
  hostCores: 1,
  open: (options) => openProcessHost(options),
}

/** Why the process runtime cannot be tested here; `AEGIS_REQUIRE=bwrap` makes that a failure. */
export function whyNoProcessHost(): string | undefined {
  try {
    accessSync('/usr/bin/bwrap')
    return undefined
  } catch {
    const reason = 'bubblewrap is not installed: apt-get install bubblewrap'
    if ((process.env.AEGIS_REQUIRE ?? '').split(',').includes('bwrap')) throw new Error(reason)
    return reason
  }
}

export async function openProcessHost(
  overrides: Partial<ProcessRuntimeOptions> = {},
): Promise<ProcessHost> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-home-')))
  const [guestPath, launcherPath] = await Promise.all([
    locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
  ])
  const options: ProcessRuntimeOptions = {
    stateDirectory: join(home, 'runtime-process'),
    guestPath,
    launcherPath,
    nodePath: process.execPath,
    protectedPaths: [home],
    ...overrides,
  }
  const host = makeHost({
    kind: processHostKind,
    runtime: await openProcessRuntime(options),
    home,
    choice: { runtime: 'process', options },
    async traces() {
      const { stateDirectory, cgroupParent } = options
      const [groups, workspaces, mounts, children] = await Promise.all([
        groupsOf(stateDirectory, cgroupParent),
        readdir(join(stateDirectory, 'workspaces')).catch(() => []),
        mountsBelow(home),
        childrenOfThisProcess(),
      ])
      return [...groups, ...workspaces, ...mounts, ...children.filter((name) => name === 'bwrap')]
    },
    close: () => rm(home, { recursive: true, force: true }),
  })
  return { ...host, options }
}

/**
 * All cgroups of sandboxes below the one named after the state directory. A group can only be gone
 * when no process is in it, and a sandbox's processes cannot leave theirs: no group, no process.
 */
export async function groupsOf(
  stateDirectory: string,
  cgroupParent = 'aegis',
): Promise<readonly string[]> {
  const found = (await parentsOf(stateDirectory, cgroupParent)).map(async (at) => {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => [])
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(at, name))
  })
  return (await Promise.all(found)).flat()
}

/** The groups above those of sandboxes, one per hierarchy; not all of them exist. */
export async function parentsOf(
  stateDirectory: string,
  cgroupParent = 'aegis',
): Promise<readonly string[]> {
  const tag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const own =
    /^0::(\/.*?)(\/daemon)?$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1] ?? ''
  const root = '/sys/fs/cgroup'
  const hierarchies = (await readdir(root)).map((name) => join(root, name, cgroupParent))
  const parents = [...hierarchies, join(root, cgroupParent), join(root, own, 'sandboxes')]
  return parents.map((parent) => join(parent, tag))
}

async function mountsBelow(directory: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  return lines.filter((line) => line.includes(directory))
}

/** Children of this process that run a program. */
export async function processesOf(program: string): Promise<readonly string[]> {
  return (await childrenOfThisProcess()).filter((name) => name === program || name === 'bwrap')
}

async function childrenOfThisProcess(): Promise<readonly string[]> {
  const tasks = await readdir('/proc/self/task')
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '')),
  )
  const pids = lists.flatMap((list) => list.split(' ')).filter((pid) => pid !== '')
  const names = pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
  return (await Promise.all(names)).map((name) => name.trim())
}
