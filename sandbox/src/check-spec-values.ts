import { AegisError, type SandboxSpec } from '@aegis/core'

/**
 * Refuses a spec that no runtime can heed.
 * @throws AegisError `invalid` / `sandbox.id`, `sandbox.limits`
 */
export function checkSpecValues({ id, limits }: SandboxSpec): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id))
    throw new AegisError('invalid', 'sandbox.id', `'${id}' cannot name a sandbox`)
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new AegisError(
        'invalid',
        'sandbox.limits',
        `${name} is ${value}, not a whole number above 0`,
      )
}
