import { join } from 'node:path'
import type { Clock, Logger } from '@aegis/core'
import { type AuditNotary, type AuditStore, formatVerifierKey } from '@aegis/core/audit'
import { auditCrypto } from './audit-crypto.ts'
import { openAuditKey, verifierKeyFile } from './audit-key.ts'
import { checkSignedState } from './check-signed-state.ts'
import { makeCheckpointer } from './checkpointer.ts'
import { replaceFile } from './private-file.ts'

export interface AuditNotaryOptions {
  readonly store: AuditStore
  /** Where the keys are: `audit.key`, `audit.pub` and `audit.checkpoint`. */
  readonly directory: string
  readonly origin: string | undefined
  /** Name of a log that has none yet. */
  readonly fallbackOrigin: string
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Opens the key of a node's log, holds the log against what the key signed before, and from then on
 * signs a checkpoint at most a second after each append. Disposing it signs for the rest.
 * @throws AegisError `unavailable` / `audit.forked` the log is older than, or not, what was signed ·
 * what `openAuditKey` throws
 */
export async function openAuditNotary(
  options: AuditNotaryOptions,
): Promise<AuditNotary & AsyncDisposable> {
  const { store, directory, origin, fallbackOrigin, clock, logger } = options
  const signer = await openAuditKey({
    path: join(directory, 'audit.key'),
    origin,
    fallback: fallbackOrigin,
  })
  const checkpointPath = join(directory, 'audit.checkpoint')
  const { last, misfit } = await checkSignedState(store, signer.key, checkpointPath)
  await replaceFile(join(directory, 'audit.pub'), verifierKeyFile(signer.key), 0o644)
  const key = formatVerifierKey(signer.key)
  if (last !== undefined && last.key !== key) {
    const data = { from: last.key, to: key, misfit }
    logger.warn(data, 'the audit goes on under a new key')
    await store.record([{ at: clock.now(), type: 'audit.key-changed', data }])
  }
  const checkpointer = makeCheckpointer({ store, signer, last, checkpointPath, logger })
  // What was appended before a crash has nobody's signature yet.
  await checkpointer.checkpoint()
  return {
    ...auditCrypto,
    signer,
    checkpoint: checkpointer.checkpoint,
    [Symbol.asyncDispose]: () => checkpointer[Symbol.asyncDispose](),
  }
}
