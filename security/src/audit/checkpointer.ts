import type { Logger } from '@aegis/core'
import {
  type AuditStore,
  formatVerifierKey,
  type NoteSigner,
  rootOf,
  type StoredCheckpoint,
  signCheckpoint,
} from '@aegis/core/audit'
import { merkleHash } from './audit-crypto.ts'
import { replaceFile } from './private-file.ts'

export interface Checkpointer extends AsyncDisposable {
  checkpoint(): Promise<StoredCheckpoint>
}

export interface CheckpointerOptions {
  readonly store: AuditStore
  readonly signer: NoteSigner
  readonly last: StoredCheckpoint | undefined
  /** Kept beside the database, so that an older database is noticed. */
  readonly checkpointPath: string
  readonly logger: Logger
  readonly delayMs?: number
  /** From one that failed to the next attempt. */
  readonly retryMs?: number
}

/**
 * Signs for what was appended: soon after each append, once for all of that time, and when it is
 * disposed. It signs the tree as it grew in memory, not as it may be found on the disk.
 */
export function makeCheckpointer(options: CheckpointerOptions): Checkpointer {
  const { store, signer, checkpointPath, logger } = options
  const { delayMs = 500, retryMs = 5_000 } = options
  const key = formatVerifierKey(signer.key)
  let last = options.last?.key === key ? options.last : undefined
  let timer: NodeJS.Timeout | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const sign = async (): Promise<StoredCheckpoint> => {
    const head = await store.head()
    if (last?.size === head.size) return last
    const root = rootOf(merkleHash, head)
    const signed = { size: head.size, note: signCheckpoint({ size: head.size, root }, signer), key }
    // First the database: what lies beside it must never be ahead of what is durable.
    await store.saveCheckpoint(signed)
    await replaceFile(checkpointPath, signed.note, 0o600)
    last = signed
    return signed
  }

  const checkpoint = (): Promise<StoredCheckpoint> => {
    const next = turn.then(sign)
    turn = next.catch(() => undefined)
    return next
  }

  // Half a second from an append: with the time that signing takes, less than a second.
  const arm = (ms = delayMs): void => {
    if (timer !== undefined) return
    timer = setTimeout(() => {
      timer = undefined
      checkpoint().catch((error: unknown) => {
        logger.error({ err: error }, 'the audit has no new checkpoint')
        arm(retryMs)
      })
    }, ms)
    timer.unref()
  }
  const subscription = store.subscribe(() => arm())

  return {
    checkpoint,
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]()
      clearTimeout(timer)
      await checkpoint().catch((error: unknown) => {
        logger.error({ err: error }, 'the audit ends without a checkpoint')
      })
      clearTimeout(timer)
    },
  }
}
