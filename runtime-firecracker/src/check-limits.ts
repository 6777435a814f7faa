import { AegisError, type HostFinding } from '@aegis/core'
import type { Monitor } from './machine/monitor.ts'

/** A weaker form of a protection that the operator accepts by name. */
export type WeakerForm = 'cgroup'

type Limits = Monitor['limits']

/**
 * A machine has so much memory and its guest so many processes whatever the host does; how much of the
 * host's processors it uses is limited from outside alone.
 * @throws AegisError `unsupported` / `sandbox.limits`
 */
export function checkLimits(limits: Limits, weaker: readonly WeakerForm[]): void {
  if (limits.enforced.cpu || weaker.includes('cgroup')) return
  throw new AegisError(
    'unsupported',
    'sandbox.limits',
    `This host does not let us limit the cpu of micro-VMs: ${limits.description}. Remedy: ${limits.remedy}. Or allow machines without that limit by name: allow_weaker: [cgroup]`,
  )
}

/** For `aegis doctor`. */
export function diagnoseLimits(limits: Limits, weaker: readonly WeakerForm[]): HostFinding {
  const { description, remedy } = limits
  const name = 'cgroups'
  if (remedy === undefined)
    return { name, state: 'ok', detail: `${description}: memory, cpu, pids` }
  const isAllowed = weaker.includes('cgroup')
  return {
    name,
    state: isAllowed ? 'warning' : 'missing',
    detail: isAllowed
      ? `${description}; micro-VMs run with no limit of cpu but their number of processors, as the configuration allows`
      : description,
    remedy,
  }
}
