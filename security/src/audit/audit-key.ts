import { createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto'
import { AegisError, type Secret } from '@aegis/core'
import {
  formatVerifierKey,
  fromBase64,
  makeNoteKey,
  type NoteKey,
  type NoteSigner,
  toBase64,
} from '@aegis/core/audit'
import { auditCrypto } from './audit-crypto.ts'
import { createPrivateFile, readPrivateFile } from './private-file.ts'

export interface AuditKeyOptions {
  /** Where the private key is, or will be made: mode 0600. */
  readonly path: string
  /** Name of the log; undefined takes that of the key, or `fallback` for a new one. */
  readonly origin: string | undefined
  readonly fallback: string
}

/**
 * The key that signs a node's checkpoints: an Ed25519 key in the form of Go's signed notes, which
 * holds its name. Made when there is none.
 * @throws AegisError `denied` / `audit.key-readable`, `audit.key-owner` · `invalid` /
 * `audit.key-malformed`, `audit.origin`, `audit.key-name`
 */
export async function openAuditKey({
  path,
  origin,
  fallback,
}: AuditKeyOptions): Promise<NoteSigner> {
  const text = (await readPrivateFile(path)) ?? (await make(path, origin ?? fallback))
  const signer = parse(text, path)
  if (origin === undefined || signer.key.name === origin) return signer
  throw new AegisError(
    'invalid',
    'audit.origin',
    `spec.security.audit.origin is ${origin}, but the log was begun as ${signer.key.name}, and a log keeps its name. Write that name, or move ${path} away to go on under a new key.`,
  )
}

async function make(path: string, name: string): Promise<Secret> {
  const seed = randomBytes(32)
  const { id } = makeNoteKey(name, publicKeyOf(seed), auditCrypto.sha256)
  const key = toBase64(Buffer.concat([Uint8Array.of(ed25519), seed]))
  return createPrivateFile(path, `PRIVATE+KEY+${name}+${Buffer.from(id).toString('hex')}+${key}\n`)
}

function parse(text: Secret, path: string): NoteSigner {
  const match = /^PRIVATE\+KEY\+([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(
    text.reveal().trim(),
  )
  const [, name = '', id = '', secret = ''] = match ?? []
  const bytes = fromBase64(secret)
  if (bytes?.length !== 33 || bytes[0] !== ed25519) throw malformed(path)
  const seed = bytes.slice(1)
  const key = makeNoteKey(name, publicKeyOf(seed), auditCrypto.sha256)
  if (Buffer.from(key.id).toString('hex') !== id) throw malformed(path)
  const privateKey = privateKeyOf(seed)
  return { key, sign: (message) => sign(null, message, privateKey) }
}

/** The line that a verifier needs, as a file. */
export const verifierKeyFile = (key: NoteKey): string => `${formatVerifierKey(key)}\n`

const ed25519 = 1

/** What stands before the seed of an Ed25519 key in DER (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

const privateKeyOf = (seed: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' })

function publicKeyOf(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' })
  return Uint8Array.from(spki.subarray(-32))
}

const malformed = (path: string): AegisError =>
  new AegisError(
    'invalid',
    'audit.key-malformed',
    `${path} holds no key of the audit. Restore it from a backup; or move it away, and the node makes a new one, which no old checkpoint fits.`,
  )
