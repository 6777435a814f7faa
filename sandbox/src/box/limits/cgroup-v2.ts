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
  readWords,
  removeGroup,
  writeControl,
} from './cgroup-files.ts'
import type { LimitBackend, LimitGroup } from './limit-group.ts'

/**
 * Limits on the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst). `parent` is a group
 * without processes whose controllers memory, cpu and pids are on for its children.
 */
export function makeCgroupV2(parent: string): LimitBackend {
  return {
    description: `cgroup v2 at ${parent}`,
    enforced: { cpu: true, memory: true, pids: true },
    remedy: undefined,
    async create(id, limits) {
      const directory = `${parent}/${id}`
      await makeGroup(directory)
      try {
        await limit(directory, limits)
      } catch (error) {
        await removeGroup(directory)
        throw error
      }
      return groupAt(directory)
    },
    async sweep(keep) {
      const left = (await childGroups(parent)).filter((name) => !keep.has(name))
      await Promise.all(left.map((name) => removeLeftover(`${parent}/${name}`)))
      return left.map((name) => `cgroup ${parent}/${name}`)
    },
    // A group that still holds one is left to the next sweep.
    close: () => rmdir(parent).catch(() => {}),
  }
}

const controllers = '+memory +cpu +pids'

/** Makes `directory` and hands the controllers down to its children. Repeatable. */
export async function makeCgroupV2Parent(root: string, path: readonly string[]): Promise<string> {
  let directory = root
  for (const part of path) {
    // Only what is missing: whoever was delegated a group may not write to the one above it.
    if (!(await hasControllers(directory)))
      await writeControl(`${directory}/cgroup.subtree_control`, controllers)
    directory = `${directory}/${part}`
    await mkdir(directory, { recursive: true })
  }
  await writeControl(`${directory}/cgroup.subtree_control`, controllers)
  return directory
}

async function hasControllers(directory: string): Promise<boolean> {
  const on = await readWords(`${directory}/cgroup.subtree_control`)
  return ['memory', 'cpu', 'pids'].every((name) => on.includes(name))
}

async function limit(directory: string, limits: SandboxLimits): Promise<void> {
  const { quotaUs, periodUs } = cpuQuota(limits.cpuMillicores)
  await Promise.all([
    writeControl(`${directory}/memory.max`, limits.memoryBytes),
    // Without swap there is no such file, and then nothing to forbid.
    writeControl(`${directory}/memory.swap.max`, 0).catch(ignoreAbsent),
    writeControl(`${directory}/cpu.max`, `${quotaUs} ${periodUs}`),
    writeControl(`${directory}/pids.max`, limits.pids),
  ])
}

function groupAt(directory: string): LimitGroup {
  return {
    procsFiles: [`${directory}/cgroup.procs`],
    processLimits: [],
    async usage() {
      const [cpu, current, peak, pids] = await Promise.all([
        readTable(`${directory}/cpu.stat`),
        readNumber(`${directory}/memory.current`),
        readNumber(`${directory}/memory.peak`),
        readNumber(`${directory}/pids.current`),
      ])
      return {
        cpuMs: (cpu.get('usage_usec') ?? 0) / 1000,
        memoryBytes: current ?? 0,
        memoryPeakBytes: peak ?? current ?? 0,
        pids: pids ?? 0,
      }
    },
    async hits() {
      const [memory, pids, stat] = await Promise.all([
        readTable(`${directory}/memory.events`),
        readTable(`${directory}/pids.events`),
        readTable(`${directory}/memory.stat`),
      ])
      return {
        oomKills: memory.get('oom_kill') ?? 0,
        pidsRefusals: pids.get('max') ?? 0,
        sharedMemoryBytes: stat.get('shmem') ?? 0,
      }
    },
    kill: () => killGroup(directory),
    remove: () => removeGroup(directory),
  }
}

async function removeLeftover(directory: string): Promise<void> {
  await killGroup(directory)
  await removeGroup(directory)
}
