import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { ImageSignature } from '@aegis/core'

/** A key pair as `cosign generate-key-pair` makes them, or one of Ed25519. */
export function makeCosignKey(kind: 'ecdsa' | 'ed25519' = 'ecdsa') {
  const { publicKey, privateKey } =
    kind === 'ecdsa'
      ? generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
      : generateKeyPairSync('ed25519')
  return { privateKey, pem: publicKey.export({ format: 'pem', type: 'spki' }).toString() }
}

/** What `cosign sign` makes of a digest: the payload of simple signing, and its signature. */
export function cosignSign(
  privateKey: KeyObject,
  digest: string,
  reference = 'registry.example/team/agent',
  changes: object = {},
): ImageSignature {
  const critical = {
    identity: { 'docker-reference': reference },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
    ...changes,
  }
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }))
  const hash = privateKey.asymmetricKeyType === 'ec' ? 'sha256' : null
  return { payload, signature: sign(hash, payload, privateKey) }
}
