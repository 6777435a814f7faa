import {
  type AuditFinding,
  openCheckpoint,
  parseVerifierKey,
  rootAt,
  sameBytes,
  tilePath,
} from '@aegis/core/audit'
import { auditCrypto, merkleHash } from './audit-crypto.ts'
import type { ReadableLog } from './export-log.ts'

/**
 * Whether a log still begins with what a checkpoint says that somebody kept elsewhere; undefined when
 * it does. This is what shows that a log was cut short or exchanged as a whole.
 * @throws AegisError `invalid` / `audit.signature` the log's key has not signed it
 */
export async function checkWitness(
  log: ReadableLog,
  note: string,
): Promise<AuditFinding | undefined> {
  const key = parseVerifierKey(await log.key(), auditCrypto.sha256)
  const witness = openCheckpoint(note, key, auditCrypto.verify)
  const { size } = openCheckpoint(await log.checkpoint(), key, auditCrypto.verify)
  if (witness.size > size) {
    const message = `The log has ${size} entries, though ${witness.size} were signed: its end was cut off.`
    return { code: 'truncated', index: size, through: witness.size - 1, message }
  }
  const source = {
    size,
    tile: (tile: Parameters<Parameters<typeof rootAt>[1]['tile']>[0]) =>
      log.tile(tilePath({ kind: 'hashes', ...tile })),
  }
  const root = await rootAt(merkleHash, source, witness.size)
  if (root !== undefined && sameBytes(root, witness.root)) return undefined
  const message = `The first ${witness.size} entries of the log are not those that were signed.`
  return { code: 'root', index: 0, through: Math.max(0, witness.size - 1), message }
}
