import { timingSafeEqual } from 'node:crypto'
import {
  type Actor,
  type Authenticate,
  type Authentication,
  type Clock,
  type Logger,
  type StoredToken,
  type TokenRefusal,
  type TokenRepository,
  tokenStateAt,
} from '@aegis/core'
import { digestOf, parseToken } from './mint-token.ts'
import { noteLastUse } from './note-last-use.ts'

export interface TokenAuthenticator extends AsyncDisposable {
  readonly authenticate: Authenticate
}

interface Options {
  readonly tokens: TokenRepository
  readonly clock: Clock
  readonly logger: Logger
}

/** Compared where there is no token, so that this takes as long. */
const nobodysDigest = Buffer.alloc(32)

/**
 * Knows the tokens that the node gave out. Each request asks the repository, so that a token that
 * expires or is revoked opens nothing from then on. Disposing it writes down what is left of the
 * last uses.
 */
export function openTokenAuthenticator({ tokens, clock, logger }: Options): TokenAuthenticator {
  const lastUse = noteLastUse({ tokens, clock, logger })
  return {
    async authenticate(text): Promise<Authentication> {
      const parts = parseToken(text)
      const stored = await tokens.byId(parts?.id ?? '')
      const kept = stored === undefined ? nobodysDigest : Buffer.from(stored.digest, 'hex')
      // Digests are compared in constant time, and on every path.
      const isRight = sameBytes(digestOf(parts?.secret ?? ''), kept)
      const refused = refusalOf(stored, isRight, clock)
      if (stored === undefined || refused !== undefined) {
        return {
          refused: refused ?? 'unknown',
          ...(parts !== undefined && { tokenId: parts.id }),
          ...(isRight && stored !== undefined && { name: stored.name }),
        }
      }
      lastUse.note(stored.id)
      return { actor: actorOf(stored) }
    },
    [Symbol.asyncDispose]: () => lastUse[Symbol.asyncDispose](),
  }
}

function refusalOf(
  stored: StoredToken | undefined,
  isRight: boolean,
  clock: Clock,
): TokenRefusal | undefined {
  if (stored === undefined) return 'unknown'
  if (!isRight) return 'wrong'
  const state = tokenStateAt(stored, clock.now())
  return state === 'active' ? undefined : state
}

const actorOf = ({ id, name, role, scope }: StoredToken): Actor => ({
  name,
  role,
  tokenId: id,
  ...(scope !== undefined && { scope }),
})

/** A digest of another length, from a damaged store, is no match either. */
const sameBytes = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other)
