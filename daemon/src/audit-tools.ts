import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { AegisError, type AuditProgress, type AuditReport } from '@aegis/core'
import { checkProof, type NoteKey, type ProvenEntry, parseVerifierKey } from '@aegis/core/audit'
import { auditCrypto, readVerifierKey, verifyExport, verifyHome } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { findDaemon } from './find-daemon.ts'
import { homeAt } from './home.ts'
import { lockHome } from './lock-home.ts'

export { checkWitness, type ExportOutcome, exportLog } from '@aegis/security'

interface Watched {
  readonly onProgress: (progress: AuditProgress) => void
  readonly signal: AbortSignal
}

/**
 * Looks the log of a home over on which no node runs, also when none could start on it.
 * @throws AegisError `not-found` / `audit.key-absent` · `conflict` / `home.locked`
 */
export async function verifyAuditOfHome(
  directory: string,
  { witnesses, onProgress, signal }: Watched & { readonly witnesses: readonly string[] },
): Promise<AuditReport> {
  const home = homeAt(directory)
  if (!existsSync(home.database)) {
    throw new AegisError(
      'not-found',
      'audit.absent',
      `There is no audit at ${directory}. A node makes it when it first starts.`,
    )
  }
  const heldByDaemon = async () => (await findDaemon(directory)).state !== 'stopped'
  await using undo = new AsyncDisposableStack()
  undo.use(await lockHome(directory, heldByDaemon))
  const { audit } = undo.use(await openSqliteStore({ path: home.database }))
  // Awaited here, while the store is open.
  return await verifyHome({ audit, directory: home.keys, witnesses, onProgress, signal })
}

/** Whether a path is a proof, rather than the directory of an export. */
export const isProofFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** The key that was given, as a line or by the name of its file; else that of the home. */
export const verifierKeyOf = async (given: string | undefined, home: string): Promise<NoteKey> =>
  given?.includes('+')
    ? parseVerifierKey(given, auditCrypto.sha256)
    : readVerifierKey(given ?? join(homeAt(home).keys, 'audit.pub'))

export const verifyAuditExport = (
  directory: string,
  options: {
    readonly key: NoteKey
    readonly witnesses: readonly string[]
    readonly from: number
  } & Watched,
): Promise<AuditReport> => verifyExport({ directory, pause: () => setImmediate(), ...options })

export const checkAuditProof = (text: string, key: NoteKey): ProvenEntry =>
  checkProof(text, key, auditCrypto)
