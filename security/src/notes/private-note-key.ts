import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { fromBase64, makeNoteKey, type NoteSigner, toBase64 } from '@aegis/core/audit'
import { auditCrypto } from '../audit/audit-crypto.ts'

/**
 * A new Ed25519 key in the form of Go's signed notes, which holds its name; one line.
 * @throws AegisError `invalid` / `audit.key-name`
 */
export function makePrivateNoteKey(name: string): string {
  const seed = randomBytes(32)
  const { id } = makeNoteKey(name, publicKeyOf(seed), auditCrypto.sha256)
  const key = toBase64(Buffer.concat([Uint8Array.of(ed25519), seed]))
  return `PRIVATE+KEY+${name}+${Buffer.from(id).toString('hex')}+${key}\n`
}

/** Undefined for what holds no such key. */
export function parsePrivateNoteKey(text: string): NoteSigner | undefined {
  const match = /^PRIVATE\+KEY\+([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim())
  const [, name = '', id = '', secret = ''] = match ?? []
  const bytes = fromBase64(secret)
  if (bytes?.length !== 33 || bytes[0] !== ed25519) return undefined
  const seed = bytes.slice(1)
  const key = makeNoteKey(name, publicKeyOf(seed), auditCrypto.sha256)
  if (Buffer.from(key.id).toString('hex') !== id) return undefined
  const privateKey = privateKeyOf(seed)
  return { key, sign: (message) => sign(null, message, privateKey) }
}

const ed25519 = 1

/** What stands before the seed of an Ed25519 key in DER (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

const privateKeyOf = (seed: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })

function publicKeyOf(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' })
  return Uint8Array.from(spki.subarray(-32))
}
