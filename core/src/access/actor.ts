import type { Role } from './role.ts'
import type { Scope } from './scope.ts'
import type { TokenId } from './token.ts'

/** Who asks, once authenticated. */
export interface Actor {
  /**
   * For policies, logs and the audit: the name of a token, `local` for the holder of the node's own
   * one and for commands that work on the home without a daemon, or `oidc:` and the name that an
   * identity provider gave.
   */
  readonly name: string
  readonly role: Role
  /** Absent: all that the role permits. */
  readonly scope?: Scope | undefined
  /** Which token it showed, when it is one that the node gave out. */
  readonly tokenId?: TokenId | undefined
}

/** Whoever owns the home: nothing on this machine could keep him from anything in it. */
export const localActor: Actor = { name: 'local', role: 'admin' }

/**
 * Tells whose token this is, or why it is nobody's. Takes equally long for any wrong one.
 * @throws AegisError `unavailable` when somebody who must be asked does not answer
 */
export type Authenticate = (token: string) => Promise<Authentication>

export type Authentication =
  | { readonly actor: Actor }
  | {
      /** For the audit and the log. The caller is told of none but `no-role`. */
      readonly refused: TokenRefusal
      /** Whose token it is or was, where that is proven. */
      readonly name?: string | undefined
      /** Which token it claims to be. */
      readonly tokenId?: string | undefined
      /** One sentence for the log. */
      readonly because?: string | undefined
    }

/**
 * `unknown`: no such token; `wrong`: its secret is not that; `no-role`: the caller is known, and
 * has no role here.
 */
export type TokenRefusal = 'unknown' | 'wrong' | 'expired' | 'revoked' | 'invalid' | 'no-role'
