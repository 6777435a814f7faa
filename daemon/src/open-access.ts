import type { Authenticate, Clock, Logger, NodeConfig, TokenRepository } from '@aegis/core'
import { isOwnToken, openApiToken, openTokenAuthenticator } from '@aegis/security'
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

/** Who may use a node: the owner of its home, and whoever holds a token that it gave out. */
export async function openAccess({ home, tokens, clock, logger }: Options): Promise<Access> {
  const local = await openApiToken(home.token)
  const given = openTokenAuthenticator({ tokens, clock, logger })
  return {
    authenticate: (token) =>
      isOwnToken(token) ? given.authenticate(token) : local.authenticate(token),
    [Symbol.asyncDispose]: () => given[Symbol.asyncDispose](),
  }
}
