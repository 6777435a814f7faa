import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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
}

/** Finds out how this host limits memory, cpu and pids, and prepares the groups above ours. */
export async function openLimits(options: OpenLimitsOptions): Promise<LimitBackend> {
  const mounts = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'))
  const parent = (options.cgroupParent ?? 'aegis').replace(/^\/+|\/+$/g, '')
  const tries: string[] = []
  const attempt = async (open: () => Promise<LimitBackend>): Promise<LimitBackend | undefined> =>
    open().catch((error: Error) => {
      tries.push(error.message)
      return undefined
    })

  if (hasV1(mounts)) {
    const v1 = await attempt(() => openV1(mounts, join(parent, options.homeTag)))
    return v1 ?? makeNoLimits(tries, remedyV1(mounts, parent))
  }
  const { unified } = mounts
  if (unified === undefined)
    return makeNoLimits(['no cgroup hierarchy is mounted'], 'mount -t cgroup2 none /sys/fs/cgroup')
  const fixed = await attempt(() => openV2(unified, [...parent.split('/'), options.homeTag]))
  if (fixed !== undefined) return fixed
  const delegated = await attempt(() => openDelegated(unified, options.homeTag))
  return delegated ?? makeNoLimits(tries, remedyV2)
}

async function openV1(mounts: CgroupMounts, path: string): Promise<LimitBackend> {
  const at = (controller: string) => {
    const point = mounts.controllers.get(controller)
    return point && join(point, path)
  }
  const [memory, cpu, pids] = [at('memory'), at('cpu'), at('pids')]
  if (memory === undefined || cpu === undefined || pids === undefined)
    throw new Error('a cgroup v1 controller is missing')
  const parents = { memory, cpu, pids, cpuacct: at('cpuacct'), unified: undefined }
  const hybrid = { ...parents, unified: mounts.unified && join(mounts.unified, path) }
  // The version 2 hierarchy only adds a faster kill: nobody need delegate it.
  const usable = await makeCgroupV1Parents(hybrid).then(
    () => hybrid,
    () => parents,
  )
  await makeCgroupV1Parents(usable)
  return makeCgroupV1(usable)
}

async function openV2(root: string, path: readonly string[]): Promise<LimitBackend> {
  const offered = await readWords(`${root}/cgroup.controllers`)
  const missing = ['memory', 'cpu', 'pids'].filter((name) => !offered.includes(name))
  if (missing.length > 0) throw new Error(`${root} lacks the controllers ${missing.join(', ')}`)
  return makeCgroupV2(await makeCgroupV2Parent(root, path))
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
  await makeGroup(join(delegated, daemonLeaf))
  for (const pid of await readWords(join(delegated, 'cgroup.procs')))
    await writeFile(join(delegated, daemonLeaf, 'cgroup.procs'), pid)
  return openV2(delegated, ['sandboxes', homeTag])
}

const daemonLeaf = '/daemon'

function hasV1({ controllers }: CgroupMounts): boolean {
  return controllers.has('memory')
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
