import type { AgentManifest } from '../agent/agent-manifest.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Ids } from '../kernel/ids.ts'
import type { ExecutionSecret, SecretVault } from './secret-vault.ts'

/** The secrets of one iteration, and the variables that stand for them inside. */
export interface MintedSecrets {
  readonly secrets: readonly ExecutionSecret[]
  readonly environment: Readonly<Record<string, string>>
}

/**
 * Opens the secrets that a manifest names, each behind a placeholder of this iteration's own.
 * @throws AegisError `denied` / `secret.denied` for one that there is not, or not for this agent
 */
export function mintSecrets(
  vault: SecretVault,
  ids: Pick<Ids, 'placeholder'>,
  { metadata, spec }: AgentManifest,
): MintedSecrets {
  const secrets = new Map<string, ExecutionSecret>()
  const environment: Record<string, string> = {}
  for (const [variable, name] of Object.entries(spec.secrets)) {
    const minted = secrets.get(name) ?? mint(vault, ids, metadata.name, name)
    secrets.set(name, minted)
    environment[variable] = minted.placeholder
  }
  return { secrets: [...secrets.values()], environment }
}

function mint(
  vault: SecretVault,
  ids: Pick<Ids, 'placeholder'>,
  agent: string,
  name: string,
): ExecutionSecret {
  const secret = vault.open(agent, name)
  if (secret !== undefined) return { ...secret, placeholder: ids.placeholder() }
  throw new AegisError(
    'denied',
    'secret.denied',
    `The agent ${agent} may use no secret "${name}". The operator can give it one: aegis secret set ${name} --agent ${agent} --to <host>`,
  )
}
