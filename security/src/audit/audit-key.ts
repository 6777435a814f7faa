import { AegisError } from '@aegis/core'
import { formatVerifierKey, type NoteKey, type NoteSigner } from '@aegis/core/audit'
import { makePrivateNoteKey, parsePrivateNoteKey } from '../notes/private-note-key.ts'
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
  const text =
    (await readPrivateFile(path)) ??
    (await createPrivateFile(path, makePrivateNoteKey(origin ?? fallback)))
  const signer = parsePrivateNoteKey(text.reveal())
  if (signer === undefined) throw malformed(path)
  if (origin === undefined || signer.key.name === origin) return signer
  throw new AegisError(
    'invalid',
    'audit.origin',
    `spec.security.audit.origin is ${origin}, but the log was begun as ${signer.key.name}, and a log keeps its name. Write that name, or move ${path} away to go on under a new key.`,
  )
}

/** The line that a verifier needs, as a file. */
export const verifierKeyFile = (key: NoteKey): string => `${formatVerifierKey(key)}\n`

const malformed = (path: string): AegisError =>
  new AegisError(
    'invalid',
    'audit.key-malformed',
    `${path} holds no key of the audit. Restore it from a backup; or move it away, and the node makes a new one, which no old checkpoint fits.`,
  )
