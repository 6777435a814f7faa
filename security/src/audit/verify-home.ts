import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import {
  type AuditProgress,
  type AuditReport,
  type AuditStore,
  type NoteKey,
  parseVerifierKey,
  verifyStore,
} from '@aegis/core/audit'
import { auditCrypto, merkleHash } from './audit-crypto.ts'

export interface VerifyHomeOptions {
  readonly audit: AuditStore
  /** Where `audit.pub` and `audit.checkpoint` are. */
  readonly directory: string
  /** Checkpoints that were kept elsewhere. */
  readonly witnesses: readonly string[]
  readonly onProgress: (progress: AuditProgress) => void
  readonly signal: AbortSignal
}

/**
 * Looks the log of a node over that does not run, also of one that refuses to: against the
 * checkpoints in its database and the copy beside it.
 * @throws AegisError `not-found` / `audit.key-absent`
 */
export async function verifyHome(options: VerifyHomeOptions): Promise<AuditReport> {
  const { audit, directory, witnesses, onProgress, signal } = options
  const key = await readVerifierKey(join(directory, 'audit.pub'))
  const copy = await readIfThere(join(directory, 'audit.checkpoint'))
  return verifyStore({
    audit,
    notary: { ...auditCrypto, signer: { key } },
    merkle: merkleHash,
    copies: [...(copy === undefined ? [] : [copy]), ...witnesses],
    onProgress,
    pause: () => setImmediate(),
    signal,
  })
}

export async function readVerifierKey(path: string): Promise<NoteKey> {
  const text = await readIfThere(path)
  if (text !== undefined) return parseVerifierKey(text, auditCrypto.sha256)
  throw new AegisError(
    'not-found',
    'audit.key-absent',
    `There is no public key at ${path}. A node makes it when it first starts; name that of another log with --key.`,
  )
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
