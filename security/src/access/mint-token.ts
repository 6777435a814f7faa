import { createHash, randomBytes } from 'node:crypto'
import { type FreshToken, Secret, tokenId } from '@aegis/core'

/** A token as its holder sends it, in its parts. */
export interface TokenParts {
  readonly id: string
  readonly secret: string
}

const tokenPrefix = 'aegis_'

/** Whether this looks like a token that a node gave out, be it one of this node or not. */
export const isOwnToken = (text: string): boolean => text.startsWith(tokenPrefix)

/** Guessing is hopeless, however many tries there are. */
const secretBytes = 32
/** Enough that two tokens never share one. */
const idBytes = 8

/** `aegis_`, an id to find it by, and 256 random bits, of which only the digest is kept. */
export function mintToken(): FreshToken {
  const id = randomBytes(idBytes).toString('hex')
  const secret = randomBytes(secretBytes).toString('base64url')
  return {
    id: tokenId(id),
    digest: digestOf(secret).toString('hex'),
    text: new Secret(`${tokenPrefix}${id}_${secret}`),
  }
}

/** Undefined for what cannot be a token that `mintToken` made. */
export function parseToken(text: string): TokenParts | undefined {
  const [, id, secret] = /^aegis_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, secret }
}

/**
 * One round is enough: what has 256 random bits cannot be guessed from its digest, and a slow
 * digest would only cost each request its time.
 */
export const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()
