import { AegisError, type Logger, type NodeConfig, parseKeySource } from '@aegis/core'
import { type OpenedVault, openSecretVault } from '@aegis/security'
import type { Home } from './home.ts'

/** Opens the secrets of a home. Where that fails it is warned of, and each use says why. */
export async function openVault({
  home,
  config,
  env,
  logger,
}: {
  readonly home: Home
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  readonly logger: Logger
}): Promise<OpenedVault> {
  const key = parseKeySource(config.spec.security.secrets.key)
  if ('message' in key) {
    throw new AegisError(
      'invalid',
      'config.invalid',
      `spec.security.secrets.key: ${key.message} ${key.remedy}`,
    )
  }
  const vault = await openSecretVault({
    path: home.secrets,
    keyPath: home.secretsKey,
    key,
    variable: (name) => env[name],
  })
  const { fault } = vault
  if (fault !== undefined) {
    logger.warn({ code: fault.code, reason: fault.message }, 'secrets cannot be used')
  }
  return vault
}
