import { mkdir, rmdir } from 'node:fs/promises'
import type { SandboxLimits } from '@aegis/core'
import { cpuQuota } from '../../cpu-quota.ts'
import {
  childGroups,
  ignoreAbsent,
  killGroup,
  makeGroup,
  readNumber,
  readTable,
  removeGroup,
  writeControl,
} from './cgroup-files.ts'
import type { LimitBackend, LimitGroup } from './limit-group.ts'

/** Where each controller's groups of this home go; one path may serve several controllers. */
export interface CgroupV1Parents {
  readonly memory: string
  readonly cpu: string
  readonly pids: string
  readonly cpuacct: string | undefined
  /** The version 2 hierarchy beside them, which has no controllers but kills a group at once. */
  readonly unified: string | undefined
}

/** Limits on the hierarchies of version 1, one per controller, and on hybrid hosts. */
export function makeCgroupV1(parents: CgroupV1Parents): LimitBackend {
  const directories = distinct(parents)
  return {
    description: `cgroup v1 at ${parents.memory}`,
    enforced: { cpu: true, memory: true, pids: true },
    remedy: undefined,
    async create(id, limits) {
      const own: CgroupV1Parents = {
        memory: `${parents.memory}/${id}`,
        cpu: `${parents.cpu}/${id}`,
        pids: `${parents.pids}/${id}`,
        cpuacct: parents.cpuacct && `${parents.cpuacct}/${id}`,
        unified: parents.unified && `${parents.unified}/${id}`,
      }
      const group = groupAt(own)
      try {
        await Promise.all(distinct(own).map(makeGroup))
        await limit(own, limits)
      } catch (error) {
        await group.remove()
        throw error
      }
      return group
    },
    async sweep(keep) {
      const found = await Promise.all(directories.map(childGroups))
      const left = [...new Set(found.flat())].filter((name) => !keep.has(name))
      await Promise.all(
        left.map(async (name) => {
          const leftover = directories.map((directory) => `${directory}/${name}`)
          await Promise.all(leftover.map(killGroup))
          await Promise.all(leftover.map(removeGroup))
        }),
      )
      return left.map((name) => `cgroup ${parents.memory}/${name}`)
    },
    async close() {
      // A group that still holds one is left to the next sweep.
      await Promise.all(directories.map((directory) => rmdir(directory).catch(() => {})))
    },
  }
}

/** Makes the parents. Version 1 needs nothing switched on. Repeatable. */
export async function makeCgroupV1Parents(parents: CgroupV1Parents): Promise<void> {
  await Promise.all(distinct(parents).map((path) => mkdir(path, { recursive: true })))
}

async function limit(own: CgroupV1Parents, limits: SandboxLimits): Promise<void> {
  const { quotaUs, periodUs } = cpuQuota(limits.cpuMillicores)
  await Promise.all([
    limitMemory(own.memory, limits.memoryBytes),
    writeControl(`${own.cpu}/cpu.cfs_period_us`, periodUs).then(() =>
      writeControl(`${own.cpu}/cpu.cfs_quota_us`, quotaUs),
    ),
    writeControl(`${own.pids}/pids.max`, limits.pids),
  ])
}

async function limitMemory(directory: string, memoryBytes: number): Promise<void> {
  await writeControl(`${directory}/memory.limit_in_bytes`, memoryBytes)
  // Memory and swap together, which may not be below memory alone. Without swap accounting there
  // is no such file; then at least nothing is swapped by choice.
  await writeControl(`${directory}/memory.memsw.limit_in_bytes`, memoryBytes).catch(() =>
    writeControl(`${directory}/memory.swappiness`, 0).catch(ignoreAbsent),
  )
}

function groupAt(own: CgroupV1Parents): LimitGroup {
  const directories = distinct(own)
  return {
    procsFiles: directories.map((directory) => `${directory}/cgroup.procs`),
    processLimits: [],
    async usage() {
      const [cpuMs, current, peak, pids] = await Promise.all([
        cpuMsOf(own),
        readNumber(`${own.memory}/memory.usage_in_bytes`),
        readNumber(`${own.memory}/memory.max_usage_in_bytes`),
        readNumber(`${own.pids}/pids.current`),
      ])
      return {
        cpuMs,
        memoryBytes: current ?? 0,
        memoryPeakBytes: peak ?? current ?? 0,
        pids: pids ?? 0,
      }
    },
    async hits() {
      const [memory, pids, stat] = await Promise.all([
        readTable(`${own.memory}/memory.oom_control`),
        readTable(`${own.pids}/pids.events`),
        readTable(`${own.memory}/memory.stat`),
      ])
      return {
        oomKills: memory.get('oom_kill') ?? 0,
        pidsRefusals: pids.get('max') ?? 0,
        sharedMemoryBytes: stat.get('shmem') ?? 0,
      }
    },
    kill: () => killGroup(own.unified ?? own.pids),
    async remove() {
      await Promise.all(directories.map(removeGroup))
    },
  }
}

async function cpuMsOf(own: CgroupV1Parents): Promise<number> {
  if (own.cpuacct !== undefined)
    return ((await readNumber(`${own.cpuacct}/cpuacct.usage`)) ?? 0) / 1_000_000
  if (own.unified === undefined) return 0
  return ((await readTable(`${own.unified}/cpu.stat`)).get('usage_usec') ?? 0) / 1000
}

function distinct(parents: CgroupV1Parents): readonly string[] {
  const { memory, cpu, pids, cpuacct, unified } = parents
  return [...new Set([unified, memory, cpu, pids, cpuacct])].filter((path) => path !== undefined)
}
