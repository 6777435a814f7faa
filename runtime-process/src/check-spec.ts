import { AegisError, type SandboxSpec } from '@aegis/core'
import type { HostProbe } from './host-probe.ts'
import type { LimitBackend } from './limits/limit-group.ts'

/** A weaker form of a protection that the operator accepts by name. */
export type WeakerForm = 'cgroup'

/**
 * Refuses what this host cannot isolate or limit as the spec says.
 * @throws AegisError `invalid` · `unsupported` / `sandbox.host`, `sandbox.limits`
 */
export function checkSpec(
  spec: SandboxSpec,
  probe: HostProbe,
  limits: LimitBackend,
  weaker: readonly WeakerForm[],
): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(spec.id))
    throw new AegisError('invalid', 'sandbox.id', `'${spec.id}' cannot name a sandbox`)
  for (const [name, value] of Object.entries(spec.limits))
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new AegisError(
        'invalid',
        'sandbox.limits',
        `${name} is ${value}, not a whole number above 0`,
      )
  if (!probe.works)
    throw new AegisError(
      'unsupported',
      'sandbox.host',
      `This host cannot make process sandboxes: ${probe.because}. Remedy: ${probe.remedy}`,
    )
  const missing = Object.entries(limits.enforced).flatMap(([name, on]) => (on ? [] : [name]))
  if (missing.length > 0 && !weaker.includes('cgroup'))
    throw new AegisError(
      'unsupported',
      'sandbox.limits',
      `This host does not let us limit ${missing.join(', ')}: ${limits.description}. Remedy: ${limits.remedy}. Or allow sandboxes without these limits by name: allow_weaker: [cgroup]`,
    )
}
