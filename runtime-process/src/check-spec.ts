import { AegisError, type SandboxSpec } from '@aegis/core'
import type { LimitBackend } from '@aegis/sandbox'
import { checkSpecValues } from '@aegis/sandbox'
import type { HostProbe } from './host-probe.ts'

/** A weaker form of a protection that the operator accepts by name. */
export type WeakerForm = 'cgroup'

/**
 * Refuses what this host cannot isolate or limit as the spec says.
 * @throws AegisError `invalid` · `unsupported` / `sandbox.host`, `sandbox.kernel`, `sandbox.gpus`,
 * `sandbox.network`, `sandbox.limits`
 */
export function checkSpec(
  spec: SandboxSpec,
  probe: HostProbe,
  limits: LimitBackend,
  weaker: readonly WeakerForm[],
): void {
  checkSpecValues(spec)
  if (spec.applicationKernel !== undefined)
    throw new AegisError(
      'unsupported',
      'sandbox.kernel',
      `Process sandboxes run on the kernel of the host, not on ${spec.applicationKernel}. Use spec.runtime.isolation: docker, or remove spec.runtime.sandbox`,
    )
  if (spec.limits.gpus !== undefined)
    throw new AegisError(
      'unsupported',
      'sandbox.gpus',
      'Process sandboxes get no graphics cards. Use spec.runtime.isolation: docker, or remove spec.security.resources.gpu',
    )
  if (!probe.works)
    throw new AegisError(
      'unsupported',
      'sandbox.host',
      `This host cannot make process sandboxes: ${probe.because}. Remedy: ${probe.remedy}`,
    )
  if (spec.network !== undefined && !probe.launcherNetwork)
    throw new AegisError(
      'unsupported',
      'sandbox.network',
      'This host lets bubblewrap alone make a network namespace, so sandboxes can have no names and ports. Let the launcher of AEGIS make user namespaces too (sysctl -w kernel.apparmor_restrict_unprivileged_userns=0), or set spec.security.network.mode: none',
    )
  const missing = Object.entries(limits.enforced).flatMap(([name, on]) => (on ? [] : [name]))
  if (missing.length > 0 && !weaker.includes('cgroup'))
    throw new AegisError(
      'unsupported',
      'sandbox.limits',
      `This host does not let us limit ${missing.join(', ')}: ${limits.description}. Remedy: ${limits.remedy}. Or allow sandboxes without these limits by name: allow_weaker: [cgroup]`,
    )
}
