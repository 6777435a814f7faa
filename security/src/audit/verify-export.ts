import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AegisError,
  type AuditProgress,
  type AuditReport,
  type Checkpoint,
  makeFindingList,
  type NoteKey,
  openCheckpoint,
  verifyLog,
} from '@aegis/core/audit'
import { auditCrypto, merkleHash } from './audit-crypto.ts'
import { exportSource } from './export-source.ts'

export interface VerifyExportOptions {
  readonly directory: string
  readonly key: NoteKey
  /** Older checkpoints that were kept elsewhere: the log must begin with what they say. */
  readonly witnesses?: readonly string[]
  /** Entries before this one were left out of the export. */
  readonly from?: number
  readonly onProgress?: (progress: AuditProgress) => void
  readonly pause: () => Promise<void>
  readonly signal: AbortSignal
}

/**
 * Looks an export over, with nothing but the public key.
 * @throws AegisError `invalid` / `audit.export` the directory holds none · `audit.signature` a
 * witness is not signed by the key
 */
export async function verifyExport(options: VerifyExportOptions): Promise<AuditReport> {
  const { directory, key, witnesses = [], ...rest } = options
  const older = witnesses.map((note) => openCheckpoint(note, key, auditCrypto.verify))
  const note = readCheckpoint(directory)
  const findings = makeFindingList()
  let current: Checkpoint
  try {
    current = openCheckpoint(note, key, auditCrypto.verify)
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    findings.add({ code: 'unsigned', message: `The checkpoint of the export: ${error.message}` })
    return unsigned(key.name, findings.all)
  }
  return verifyLog({
    ...rest,
    hash: merkleHash,
    origin: key.name,
    source: exportSource(directory, current.size),
    checkpoints: [...older, current].sort((a, b) => a.size - b.size),
    current,
    findings,
  })
}

function readCheckpoint(directory: string): string {
  try {
    return readFileSync(join(directory, 'checkpoint'), 'utf8')
  } catch (cause) {
    throw new AegisError(
      'invalid',
      'audit.export',
      `${directory} holds no export of an audit: its file checkpoint cannot be read. aegis audit export <directory> makes one.`,
      { cause },
    )
  }
}

/** Nothing can be said of a log whose size nobody has signed for. */
const unsigned = (origin: string, findings: AuditReport['findings']): AuditReport => ({
  origin,
  size: 0,
  checked: 0,
  dropped: 0,
  checkpoint: undefined,
  unsigned: 0,
  isSound: false,
  findings,
})
