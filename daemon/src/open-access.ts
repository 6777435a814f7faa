import type { Authenticate, Clock, Logger, NodeConfig, TokenRepository } from '@aegis/core'
import { isJwt, isOwnToken, openApiToken, openOidc, openTokenAuthenticator } from '@aegis/security'
import type { Home } from './home.ts'

interface Options {
  readonly home: Home
  readonly config: NodeConfig
  readonly tokens: TokenRepository
  readonly clock: Clock
  readonly logger: Logger
}

export interface Access extends AsyncDisposable {
  readonly authenticate: Authenticate
}

/**
 * Who may use a node: the owner of its home, whoever holds a token that it gave out, and the callers
 * of its identity provider.
 */
export async function openAccess(options: Options): Promise<Access> {
  const { home, config, tokens, clock, logger } = options
  const local = await openApiToken(home.token)
  const { oidc } = config.spec.security.access
  const provider = oidc === undefined ? undefined : openOidc(oidc, { clock, logger })
  const given = openTokenAuthenticator({ tokens, clock, logger })
  return {
    authenticate(token) {
      if (isOwnToken(token)) return given.authenticate(token)
      if (provider !== undefined && isJwt(token)) return provider(token)
      return local.authenticate(token)
    },
    [Symbol.asyncDispose]: () => given[Symbol.asyncDispose](),
  }
}
