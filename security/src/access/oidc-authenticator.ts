import type { Authenticate, Authentication, Clock } from '@aegis/core'
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { type ClaimOptions, callerOf } from './claims.ts'
import type { KeySets } from './key-sets.ts'

export interface OidcOptions extends ClaimOptions {
  readonly issuer: string
  readonly audience: string
}

interface Deps {
  readonly keySets: KeySets
  readonly clock: Pick<Clock, 'now'>
}

/** Signatures by a private key that only the provider has. Never `none`, never a shared secret. */
const algorithms = ['RS256', 'ES256', 'EdDSA']

/** How far the clock of the provider may be from ours. */
const clockToleranceS = 60

/** Whether this looks like a JWT. */
export const isJwt = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

/**
 * Knows the callers of an identity provider by the JWTs that it signed. Of a token's own head only
 * the algorithm and the id of the key count: where else to find a key is for the configuration to say.
 */
export function makeOidcAuthenticator(
  options: OidcOptions,
  { keySets, clock }: Deps,
): Authenticate {
  const { issuer, audience } = options
  return async (token) => {
    const checks = {
      issuer,
      audience,
      algorithms,
      clockTolerance: clockToleranceS,
      currentDate: new Date(clock.now()),
      requiredClaims: ['exp'],
    }
    try {
      return callerOf(await verified(token, keySets, checks), options)
    } catch (error) {
      if (error instanceof errors.JOSEError) return refusalOf(error)
      throw error
    }
  }
}

/** The claims of a token that one of the provider's keys signed. @throws JOSEError */
async function verified(
  token: string,
  keySets: KeySets,
  checks: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return await withKeysOf(await keySets.current())
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    // The provider may have a new key.
    const newer = await keySets.newer()
    if (newer === undefined) throw error
    return withKeysOf(newer)
  }

  async function withKeysOf(keys: Awaited<ReturnType<KeySets['current']>>): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, keys, checks)).payload
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      // A token that does not say which: any of them will do.
      let last: unknown = error
      for await (const key of error) {
        try {
          return (await jwtVerify(token, key, checks)).payload
        } catch (failure) {
          last = failure
          if (!(failure instanceof errors.JWSSignatureVerificationFailed)) break
        }
      }
      throw last
    }
  }
}

function refusalOf(error: errors.JOSEError): Authentication {
  const because = `${error.code}: ${error.message}`.slice(0, 200)
  if (error instanceof errors.JWTExpired) return { refused: 'expired', because }
  if (error instanceof errors.JWSSignatureVerificationFailed) return { refused: 'wrong', because }
  if (error instanceof errors.JWKSNoMatchingKey) return { refused: 'unknown', because }
  return { refused: 'invalid', because }
}
