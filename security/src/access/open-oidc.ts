import type { Authenticate, Clock, Logger, SecurityConfig } from '@aegis/core'
import { makeKeySets } from './key-sets.ts'
import { makeOidcAuthenticator } from './oidc-authenticator.ts'
import { readKeySet } from './read-key-set.ts'

interface Deps {
  readonly clock: Clock
  readonly logger: Logger
  readonly fetch?: typeof globalThis.fetch
}

/**
 * Knows the callers of the identity provider that a node is configured with. Asks it nothing before
 * the first token.
 * @throws AegisError `invalid` / `oidc.config`
 */
export function openOidc(
  config: NonNullable<SecurityConfig['access']['oidc']>,
  { clock, logger, fetch }: Deps,
): Authenticate {
  const read = readKeySet({
    issuer: config.issuer,
    jwksUri: config.jwks_uri,
    jwksPath: config.jwks_path,
    ...(fetch !== undefined && { fetch }),
  })
  return makeOidcAuthenticator(
    {
      issuer: config.issuer,
      audience: config.audience,
      nameClaim: config.name_claim,
      roleClaim: config.role_claim,
      roles: config.roles,
    },
    { keySets: makeKeySets({ read, clock, logger }), clock },
  )
}
