import { AegisError, type SandboxSpec } from '@aegis/core'
import { checkNetwork } from './guest-network.ts'

/**
 * Refuses a spec that no runtime can heed.
 * @throws AegisError `invalid` / `sandbox.id`, `sandbox.limits`, `sandbox.network`
 */
export function checkSpecValues({ id, limits, network }: SandboxSpec): void {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id))
    throw new AegisError('invalid', 'sandbox.id', `'${id}' cannot name a sandbox`)
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value <= 0)
      throw new AegisError(
        'invalid',
        'sandbox.limits',
        `${name} is ${value}, not a whole number above 0`,
      )
  if (network !== undefined) checkNetwork(network)
}
