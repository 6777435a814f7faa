import type { StoredCheckpoint } from './audit-store.ts'
import type { NoteCrypto, NoteSigner } from './signed-note.ts'

/** Signs for the log of a node. */
export interface AuditNotary extends NoteCrypto {
  readonly signer: NoteSigner
  /** A checkpoint, stored, of no fewer entries than are durable now. */
  checkpoint(): Promise<StoredCheckpoint>
}
