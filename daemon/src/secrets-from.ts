import { type Logger, Secret } from '@aegis/core'

/**
 * Resolves what a config gives as a secret: `env:NAME` is the variable, anything else is the
 * secret itself. A variable that is not set gives nothing; it is warned of once.
 */
export function secretsFrom(
  env: NodeJS.ProcessEnv,
  logger: Logger,
): (reference: string) => Secret | undefined {
  return (reference) => {
    if (!reference.startsWith('env:')) return new Secret(reference)
    const variable = reference.slice('env:'.length)
    const value = env[variable]
    if (value) return new Secret(value)
    logger.warn({ variable }, 'an api_key names a variable that is not set')
    return undefined
  }
}
