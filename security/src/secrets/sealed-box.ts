import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const cipher = 'aes-256-gcm'

/** Encrypts with AES-256-GCM under a random nonce; `context` must be the same to open it again. */
export function seal(key: Buffer, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const encrypt = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes })
  encrypt.setAAD(Buffer.from(context))
  return Buffer.concat([nonce, encrypt.update(plain), encrypt.final(), encrypt.getAuthTag()])
}

/** What was sealed; undefined with another key, another context, or a changed byte. */
export function unseal(key: Buffer, sealed: Buffer, context: string): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined
  const decrypt = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
  decrypt.setAAD(Buffer.from(context))
  decrypt.setAuthTag(sealed.subarray(-tagBytes))
  const plain = decrypt.update(sealed.subarray(nonceBytes, -tagBytes))
  try {
    return Buffer.concat([plain, decrypt.final()])
  } catch {
    return undefined
  }
}

/** Tells one sealing from every other, also of the same text. */
export const tagOf = (sealed: Buffer): string => sealed.subarray(-tagBytes).toString('base64')
