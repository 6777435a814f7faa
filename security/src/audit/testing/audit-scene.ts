import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { AuditEntry, Clock } from '@aegis/core'
import type { AuditNotary, AuditStore } from '@aegis/core/audit'
import { makeInMemoryStore } from '@aegis/core/testing'
import type { ReadableLog } from '../export-log.ts'
import { openAuditNotary } from '../open-audit-notary.ts'

export const at = '2026-11-22T15:04:05.123Z'

export const clock: Clock = {
  now: () => at,
  monotonicMs: () => 0,
  sleep: () => Promise.resolve(),
}

export const logger = { debug() {}, info() {}, warn() {}, error() {} }

export const anEntry = (number: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  at,
  type: 'test.happened',
  actor: 'local',
  data: { number },
  ...more,
})

export const entries = (count: number, from = 0): readonly AuditEntry[] =>
  Array.from({ length: count }, (_, number) => anEntry(from + number))

export interface AuditScene extends AsyncDisposable {
  readonly directory: string
  readonly keys: string
  readonly audit: AuditStore
  /** Opens the key and signs, as a node that starts. */
  open(audit?: AuditStore): Promise<AuditNotary & AsyncDisposable>
}

/** A directory of its own, and a log in memory. */
export async function openAuditScene(): Promise<AuditScene> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-audit-'))
  const keys = join(directory, 'keys')
  const { audit } = makeInMemoryStore()
  return {
    directory,
    keys,
    audit,
    open: (store = audit) =>
      openAuditNotary({
        store,
        directory: keys,
        origin: undefined,
        fallbackOrigin: 'aegis/test',
        clock,
        logger,
      }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

export const pause = (): Promise<void> => setImmediate()
export const never = new AbortController().signal
export type { ReadableLog }
