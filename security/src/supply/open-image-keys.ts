import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AegisError, type SignatureVerifier } from '@aegis/core'

/**
 * Reads public keys of cosign from PEM files: ECDSA on P-256, as `cosign generate-key-pair` makes
 * them, or Ed25519. Undefined where there are none.
 * @throws AegisError `invalid` / `supply.image-key`
 */
export async function openImageKeys(
  paths: readonly string[],
): Promise<SignatureVerifier | undefined> {
  if (paths.length === 0) return undefined
  const keys = await Promise.all(paths.map(readKey))
  return {
    isSigned: ({ payload, signature }) => keys.some((key) => isBy(key, payload, signature)),
  }
}

function isBy(key: KeyObject, payload: Uint8Array, signature: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === 'ec' ? 'sha256' : null
  try {
    return verify(hash, payload, key, signature)
  } catch {
    return false // No signature of this kind at all.
  }
}

async function readKey(path: string): Promise<KeyObject> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw unusable(path, 'cannot be read', cause)
  })
  if (!/^-----BEGIN PUBLIC KEY-----$/m.test(text)) {
    throw unusable(path, 'is no PEM file with a PUBLIC KEY')
  }
  const key = parseKey(text, path)
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const isEcdsa = type === 'ec' && details?.namedCurve === 'prime256v1'
  if (isEcdsa || type === 'ed25519') return key
  throw unusable(path, 'is neither a key on P-256 nor one of Ed25519')
}

function parseKey(text: string, path: string): KeyObject {
  try {
    return createPublicKey(text)
  } catch (cause) {
    throw unusable(path, 'holds no key', cause)
  }
}

const unusable = (path: string, why: string, cause?: unknown): AegisError =>
  new AegisError(
    'invalid',
    'supply.image-key',
    `${path}, a key of spec.security.supply.image_keys, ${why}. Name the file cosign.pub that cosign generate-key-pair made.`,
    { cause },
  )
