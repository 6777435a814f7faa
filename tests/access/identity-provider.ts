import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose'

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'

export interface ProviderKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

/** A real identity provider on loopback, with what OpenID Connect Discovery asks of one. */
export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string
  readonly keys: ProviderKey[]
  /** How often its keys were asked for. */
  readonly asked: number
  /** How it answers from now on in place of its keys; undefined: as it should. */
  misbehave(how: RequestListener | undefined): void
  /** What it says its issuer is; undefined: the truth. */
  claimIssuer(issuer: string | undefined): void
  sign(claims: object, options?: SignOptions): Promise<string>
}

interface SignOptions {
  readonly key?: ProviderKey
  readonly header?: object
}

export const audience = 'aegis-test'

export async function makeKey(alg: Algorithm, kid: string): Promise<ProviderKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

export async function openIdentityProvider(): Promise<IdentityProvider> {
  const keys = [await makeKey('RS256', 'r1'), await makeKey('ES256', 'e1')]
  let asked = 0
  let instead: RequestListener | undefined
  let claimed: string | undefined
  const server = createServer((request, answer) => {
    answer.setHeader('content-type', 'application/json')
    if (request.url === '/.well-known/openid-configuration') {
      answer.end(JSON.stringify({ issuer: claimed ?? issuer, jwks_uri: `${issuer}/keys` }))
      return
    }
    asked += 1
    if (instead !== undefined) instead(request, answer)
    else answer.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    issuer,
    keys,
    get asked() {
      return asked
    },
    misbehave(how) {
      instead = how
    },
    claimIssuer(other) {
      claimed = other
    },
    async sign(claims, { key = keys[0], header = {} } = {}) {
      if (key === undefined) throw new Error('A provider without keys')
      const nowS = Math.floor(Date.now() / 1000)
      const all = { iss: issuer, aud: audience, sub: 'alice', exp: nowS + 600, ...claims }
      const protectedHeader = { alg: key.alg, kid: key.kid, ...header } as JWTHeaderParameters
      return new SignJWT(JSON.parse(JSON.stringify(all)))
        .setProtectedHeader(protectedHeader)
        .sign(key.privateKey)
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Any head over any body, by any key: what an attacker would send. */
export const signAnything = (
  header: { readonly alg: string },
  claims: object,
  key: CryptoKey | Uint8Array,
): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(key)

/** One without a signature. */
export const unsigned = (header: object, claims: object): string =>
  `${[header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`
