import type { AuditControlDeps } from '../audit/audit-control.ts'
import type { AuditNotary } from '../audit/audit-notary.ts'
import type { AuditStore, StoredCheckpoint } from '../audit/audit-store.ts'
import { signCheckpoint } from '../audit/checkpoint.ts'
import { makeMerkleHash, sameBytes } from '../audit/merkle-hash.ts'
import { formatVerifierKey, makeNoteKey, type NoteSigner } from '../audit/signed-note.ts'
import { rootOf } from '../audit/tree-head.ts'
import { pureSha256 } from './pure-sha256.ts'

/** Signs for the log of a test with what everybody can compute. */
export function makeFakeNotary(audit: AuditStore, name = 'aegis/test'): AuditNotary {
  const merkle = makeMerkleHash(pureSha256)
  const signer: NoteSigner = {
    key: makeNoteKey(name, new Uint8Array(32), pureSha256),
    sign: pureSha256,
  }
  return {
    sha256: pureSha256,
    verify: (_key, text, signature) => sameBytes(pureSha256(text), signature),
    signer,
    async checkpoint(): Promise<StoredCheckpoint> {
      const head = await audit.head()
      const root = rootOf(merkle, head)
      const note = signCheckpoint({ size: head.size, root }, signer)
      const checkpoint = { size: head.size, note, key: formatVerifierKey(signer.key) }
      await audit.saveCheckpoint(checkpoint)
      return checkpoint
    },
  }
}

/** The log of a test, for a node that shows it. */
export const makeFakeAuditLog = (audit: AuditStore): Omit<AuditControlDeps, 'agents'> => ({
  audit,
  notary: makeFakeNotary(audit),
  pause: async () => undefined,
})
