import { readFile } from 'node:fs/promises'
import { AegisError } from '@aegis/core'
import {
  type AuditStore,
  type Checkpoint,
  formatVerifierKey,
  type NoteKey,
  openCheckpoint,
  parseVerifierKey,
  rootAt,
  type StoredCheckpoint,
  sameBytes,
} from '@aegis/core/audit'
import { auditCrypto, merkleHash } from './audit-crypto.ts'

export interface SignedState {
  /** The latest checkpoint of the store. */
  readonly last: StoredCheckpoint | undefined
  /** Why the log does not fit what an older key signed for it, which somebody has moved away. */
  readonly misfit: string | undefined
}

/**
 * Holds a log against the latest checkpoints that were signed for it: that in the database, and the
 * copy beside it, which an exchanged database does not bring along. What another key than the present
 * one signed is held against it too, but is for those to judge who have the old key.
 * @throws AegisError `unavailable` / `audit.forked`
 */
export async function checkSignedState(
  store: AuditStore,
  key: NoteKey,
  copyPath: string,
): Promise<SignedState> {
  const last = (await store.checkpoints()).at(-1)
  const lastKey = last && parseVerifierKey(last.key, auditCrypto.sha256)
  const copy = await readCopy(copyPath)
  if (copy !== undefined) {
    await check(store, openWithAny(copy, lastKey === undefined ? [key] : [key, lastKey], copyPath))
  }
  if (last === undefined || lastKey === undefined) return { last, misfit: undefined }
  try {
    await check(store, open(last.note, lastKey))
  } catch (error) {
    if (last.key === formatVerifierKey(key) || !(error instanceof AegisError)) throw error
    return { last, misfit: String(error.details.why) }
  }
  return { last, misfit: undefined }
}

async function check(store: AuditStore, { size, root }: Checkpoint): Promise<void> {
  const there = await store.size()
  if (there < size) {
    throw forked(
      `The audit holds ${there} entries, but ${size} were signed: the database is older than the last checkpoint, or its end was cut off`,
    )
  }
  const found = await rootAt(merkleHash, { size: there, tile: (tile) => store.tile(tile) }, size)
  if (found === undefined || !sameBytes(found, root)) {
    throw forked(`The first ${size} entries of the audit are not those that were signed`)
  }
}

function open(note: string, key: NoteKey): Checkpoint {
  try {
    return openCheckpoint(note, key, auditCrypto.verify)
  } catch (cause) {
    throw forked('The last checkpoint of the audit is not signed by its key', cause)
  }
}

function openWithAny(note: string, keys: readonly NoteKey[], path: string): Checkpoint {
  for (const key of keys) {
    try {
      return openCheckpoint(note, key, auditCrypto.verify)
    } catch {
      // Perhaps it is of the next one.
    }
  }
  throw forked(`${path} is signed by another key than that of this node`)
}

async function readCopy(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

const forked = (why: string, cause?: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'audit.forked',
    `${why}. See which entry is wrong with aegis audit verify, and restore the newest backup of the database. To go on with this one nevertheless, move audit.key and audit.checkpoint out of AEGIS_HOME/keys: the log then goes on under a new key, and everybody who holds the old one can see it.`,
    { cause, details: { why } },
  )
