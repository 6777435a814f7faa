import type { SandboxLimits } from '@aegis/core'
import { cpuQuota } from '@aegis/sandbox'
import type { JailerGroup } from './jailer-arguments.ts'

/**
 * How the jailer is told of a limit group that was made already. `mounts` is /proc/mounts. Undefined
 * when there is no group, or none below a mount point that the jailer would find too.
 */
export function jailerGroup(
  procsFiles: readonly string[],
  limits: Pick<SandboxLimits, 'memoryBytes' | 'cpuMillicores' | 'pids'>,
  mounts: string,
): JailerGroup | undefined {
  const found = procsFiles.flatMap((file) => {
    const mount = hierarchies(mounts).find(({ point }) => file.startsWith(`${point}/`))
    // Without the group itself, and without the name of the file.
    const parent = file
      .slice((mount?.point.length ?? 0) + 1)
      .split('/')
      .slice(0, -2)
    return mount ? [{ ...mount, parent: parent.join('/') }] : []
  })
  // On a hybrid host, the controllers are those of version 1.
  const chosen = found.find(({ version }) => version === 1) ?? found[0]
  if (chosen === undefined) return undefined
  const { version, parent } = chosen
  return { version, parent, values: version === 1 ? valuesV1(limits) : valuesV2(limits) }
}

type Limits = Pick<SandboxLimits, 'memoryBytes' | 'cpuMillicores' | 'pids'>

function valuesV1({ memoryBytes, cpuMillicores, pids }: Limits): JailerGroup['values'] {
  const { quotaUs, periodUs } = cpuQuota(cpuMillicores)
  return [
    ['memory.limit_in_bytes', `${memoryBytes}`],
    ['cpu.cfs_period_us', `${periodUs}`],
    ['cpu.cfs_quota_us', `${quotaUs}`],
    ['pids.max', `${pids}`],
  ]
}

function valuesV2({ memoryBytes, cpuMillicores, pids }: Limits): JailerGroup['values'] {
  const { quotaUs, periodUs } = cpuQuota(cpuMillicores)
  return [
    ['memory.max', `${memoryBytes}`],
    ['cpu.max', `${quotaUs} ${periodUs}`],
    ['pids.max', `${pids}`],
  ]
}

interface Hierarchy {
  readonly point: string
  readonly version: 1 | 2
}

/** The jailer takes the first mount of a hierarchy; so do the limit groups. */
function hierarchies(mounts: string): readonly Hierarchy[] {
  return mounts.split('\n').flatMap((line): readonly Hierarchy[] => {
    const [, point, type] = line.split(' ')
    if (point === undefined) return []
    if (type === 'cgroup2') return [{ point, version: 2 }]
    return type === 'cgroup' ? [{ point, version: 1 }] : []
  })
}
