import type { Instant } from '../kernel/clock.ts'
import type { Secret } from '../kernel/secret.ts'
import type { Role } from './role.ts'
import type { Scope } from './scope.ts'

declare const brand: unique symbol

/** `a-z` and `0-9`; stands in the token itself and is no secret. */
export type TokenId = string & { readonly [brand]: 'TokenId' }

export const tokenId = (text: string): TokenId => text as TokenId

/** What is known of a token without its secret. */
export interface TokenFacts {
  readonly id: TokenId
  /** `a-z`, `0-9`, `-`, `_` and `.`, at most 80 characters; one token at a time has it. */
  readonly name: string
  readonly role: Role
  readonly scope?: Scope | undefined
  readonly createdAt: Instant
  /** The name of the actor who made it. */
  readonly createdBy: string
  /** Absent: never. */
  readonly expiresAt?: Instant | undefined
  /** To the minute, and at most two minutes late. */
  readonly lastUsedAt?: Instant | undefined
  readonly revokedAt?: Instant | undefined
}

/** A token as it is kept: nobody can make the token from it. */
export interface StoredToken extends TokenFacts {
  /** SHA-256 of its secret, in hexadecimal. */
  readonly digest: string
}

/** A token that nobody has yet. */
export interface FreshToken {
  readonly id: TokenId
  readonly digest: string
  readonly text: Secret
}

/** Makes a token with 256 random bits. */
export type MintToken = () => FreshToken

/** Where tokens are kept. Each method is durable when it resolves. */
export interface TokenRepository {
  /** @throws AegisError `conflict` / `token.exists` when one that is not revoked has the name */
  add(token: StoredToken): Promise<void>
  byId(id: string): Promise<StoredToken | undefined>
  /** Oldest first, also those that are revoked or expired. */
  list(): Promise<readonly StoredToken[]>
  /** One that is revoked stays as it is, and one that is absent is quietly fine. */
  revoke(id: TokenId, at: Instant): Promise<void>
  /** Notes that it was used. */
  touch(id: TokenId, at: Instant): Promise<void>
  /** Forgets it for good. */
  remove(id: TokenId): Promise<void>
}

export type TokenState = 'active' | 'expired' | 'revoked'

export const tokenStateAt = (
  { revokedAt, expiresAt }: Pick<TokenFacts, 'revokedAt' | 'expiresAt'>,
  now: Instant,
): TokenState =>
  revokedAt !== undefined
    ? 'revoked'
    : expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(now)
      ? 'expired'
      : 'active'
