import { AegisError } from '../kernel/aegis-error.ts'
import type { AuditProgress, AuditReport } from './audit-report.ts'
import type { AuditStore } from './audit-store.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { type FindingList, makeFindingList } from './finding-list.ts'
import type { MerkleHash } from './merkle-hash.ts'
import { type NoteCrypto, type NoteKey, parseVerifierKey } from './signed-note.ts'
import { storeSource } from './store-source.ts'
import { verifyLog } from './verify-log.ts'

export interface VerifyStoreOptions {
  readonly audit: AuditStore
  readonly notary: NoteCrypto & { readonly signer: { readonly key: NoteKey } }
  readonly merkle: MerkleHash
  /** Further notes that were signed for it, kept elsewhere. */
  readonly copies?: readonly string[]
  readonly onProgress: (progress: AuditProgress) => void
  readonly pause: () => Promise<void>
  readonly signal: AbortSignal
}

/** How often it begins anew where bodies are dropped meanwhile. */
const attempts = 3

/** Looks the log of a store over, which may go on meanwhile, against all checkpoints that are kept. */
export async function verifyStore(options: VerifyStoreOptions): Promise<AuditReport> {
  for (let attempt = 1; ; attempt += 1) {
    const keptFrom = await options.audit.firstKept()
    const report = await verifyOnce(options)
    // What retention took away while it was read would look as if somebody had.
    const isQuiet = (await options.audit.firstKept()) === keptFrom
    if (report.isSound || isQuiet || attempt === attempts) return report
  }
}

async function verifyOnce(options: VerifyStoreOptions): Promise<AuditReport> {
  const { audit, notary, merkle, copies = [], onProgress, pause, signal } = options
  const findings = makeFindingList()
  const checkpoints: Checkpoint[] = []
  for (const { note, key } of await audit.checkpoints()) {
    const signed = openSigned(note, key, notary, findings)
    if (signed !== undefined) checkpoints.push(signed)
  }
  for (const note of copies) {
    const signed = openSigned(note, notary.signer.key, notary, findings)
    if (signed !== undefined) checkpoints.push(signed)
  }
  checkpoints.sort((a, b) => a.size - b.size)
  return verifyLog({
    hash: merkle,
    origin: notary.signer.key.name,
    source: storeSource(audit, await audit.size()),
    checkpoints,
    findings,
    onProgress,
    pause,
    signal,
  })
}

function openSigned(
  note: string,
  key: NoteKey | string,
  { sha256, verify }: NoteCrypto,
  findings: FindingList,
): Checkpoint | undefined {
  try {
    return openCheckpoint(
      note,
      typeof key === 'string' ? parseVerifierKey(key, sha256) : key,
      verify,
    )
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    findings.add({
      code: 'unsigned',
      message: `A kept checkpoint is not what was signed. ${error.message}`,
    })
    return undefined
  }
}
