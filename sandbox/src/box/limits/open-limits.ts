import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sandboxId } from '@aegis/core'
import { tryLauncher } from '../start-box.ts'
import { makeGroup, readWords } from './cgroup-files.ts'
import { type CgroupMounts, parseCgroupMounts, parseOwnGroup } from './cgroup-mounts.ts'
import { makeCgroupV1, makeCgroupV1Parents } from './cgroup-v1.ts'
import { makeCgroupV2, makeCgroupV2Parent } from './cgroup-v2.ts'
import type { LimitBackend } from './limit-group.ts'
import { makeNoLimits } from './no-limits.ts'

export interface OpenLimitsOptions {
  /** Tells the groups of one AEGIS_HOME from another's. */
  readonly homeTag: string
  /** Group below each hierarchy's mount point that this process may write to. Default `aegis`. */
  readonly cgroupParent: string | undefined
  readonly launcherPath: string
}

/**
 * Finds out how this host limits memory, cpu and pids, and prepares the groups above ours. Each
 * way is really tried with a process, since permission to make a group is not permission to join.
 */
export async function openLimits(options: OpenLimitsOptions): Promise<LimitBackend> {
  const mounts = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'))
  const parent = (options.cgroupParent ?? 'aegis').replace(/^\/+|\/+$/g, '')
  const because: string[] = []
  for (const open of waysFor(mounts, parent, options.homeTag)) {
    const backend = await open()
      .then((made) => tried(made, options.launcherPath))
      .catch((error: Error) => void because.push(error.message))
    if (backend) return backend
  }
  return makeNoLimits(because, remedyFor(mounts, parent))
}

type Way = () => Promise<LimitBackend>

function waysFor(mounts: CgroupMounts, parent: string, homeTag: string): readonly Way[] {
  const { unified, controllers } = mounts
  if (controllers.has('memory')) {
    const path = join(parent, homeTag)
    // The version 2 hierarchy beside version 1 only adds a faster kill; few may use it but root.
    const plain = () => openV1({ ...mounts, unified: undefined }, path)
    return unified === undefined ? [plain] : [() => openV1(mounts, path), plain]
  }
  if (unified === undefined) return []
  return [
    () => openV2(unified, [...parent.split('/'), homeTag]),
    () => openDelegated(unified, homeTag),
  ]
}

async function tried(backend: LimitBackend, launcherPath: string): Promise<LimitBackend> {
  const group = await backend.create(sandboxId(`try-${process.pid}`), smallLimits)
  try {
    const { procsFiles, processLimits } = group
    const complaint = await tryLauncher({ launcherPath, procsFiles, processLimits })
    if (complaint !== undefined) throw new Error(complaint)
  } finally {
    await group.remove()
  }
  return backend
}

const smallLimits = {
  cpuMillicores: 1000,
  memoryBytes: 16 << 20,
  diskBytes: 1,
  pids: 8,
  outputBytes: 1,
}

async function openV1(mounts: CgroupMounts, path: string): Promise<LimitBackend> {
  const at = (controller: string) => {
    const point = mounts.controllers.get(controller)
    return point && join(point, path)
  }
  const [memory, cpu, pids] = [at('memory'), at('cpu'), at('pids')]
  if (memory === undefined || cpu === undefined || pids === undefined)
    throw new Error('a cgroup v1 controller is missing: memory, cpu and pids are needed')
  const unified = mounts.unified && join(mounts.unified, path)
  const parents = { memory, cpu, pids, cpuacct: at('cpuacct'), unified }
  await makeCgroupV1Parents(parents)
  return makeCgroupV1(parents)
}

async function openV2(root: string, path: readonly string[]): Promise<LimitBackend> {
  await mustOffer(root)
  return makeCgroupV2(await makeCgroupV2Parent(root, path))
}

async function mustOffer(group: string): Promise<void> {
  const offered = await readWords(`${group}/cgroup.controllers`)
  const missing = ['memory', 'cpu', 'pids'].filter((name) => !offered.includes(name))
  if (missing.length > 0) throw new Error(`${group} lacks the controllers ${missing.join(', ')}`)
}

/**
 * Uses the group that systemd (`Delegate=yes`) or a container engine gave to this process. Groups
 * with children of their own may hold no processes, so this one moves into a leaf beside them.
 */
async function openDelegated(root: string, homeTag: string): Promise<LimitBackend> {
  const own = parseOwnGroup(await readFile('/proc/self/cgroup', 'utf8'))
  if (own === undefined) throw new Error('this process is in no cgroup of version 2')
  const directory = own.endsWith(daemonLeaf) ? own.slice(0, -daemonLeaf.length) : own
  const delegated = join(root, directory)
  // Before anything is moved for nothing.
  await mustOffer(delegated)
  await makeGroup(join(delegated, daemonLeaf))
  for (const pid of await readWords(join(delegated, 'cgroup.procs')))
    await writeFile(join(delegated, daemonLeaf, 'cgroup.procs'), pid)
  return openV2(delegated, ['sandboxes', homeTag])
}

const daemonLeaf = '/daemon'

function remedyFor(mounts: CgroupMounts, parent: string): string {
  if (mounts.controllers.has('memory')) return remedyV1(mounts, parent)
  return mounts.unified === undefined ? 'mount -t cgroup2 none /sys/fs/cgroup' : remedyV2
}

function remedyV1(mounts: CgroupMounts, parent: string): string {
  const points = ['memory', 'cpu', 'cpuacct', 'pids'].flatMap(
    (name) => mounts.controllers.get(name) ?? [],
  )
  const groups = [...new Set(points)].map((point) => join(point, parent)).join(' ')
  return `As root: mkdir -p ${groups} && chown -R <user of the daemon> ${groups}`
}

const remedyV2 =
  'Start the daemon in a delegated group: systemd-run --user --scope -p Delegate=yes aegis daemon start ' +
  '(needs the cpu controller delegated to users: see "systemd Delegate" in the troubleshooting page), or run it as root'
