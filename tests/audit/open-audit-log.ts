import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type AuditControl, type AuditEntry, makeAuditControl } from '@aegis/core'
import { openAuditNotary } from '@aegis/security'
import { openSqliteStore, type Store } from '@aegis/storage'

export interface AuditLog extends AsyncDisposable {
  readonly store: Store
  readonly audit: AuditControl
}

/** A log as a node keeps it: on a disk, with a key that signs it twice a second. */
export async function openAuditLog(): Promise<AuditLog> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-audit-bench-'))
  const store = await openSqliteStore({ path: join(directory, 'aegis.db') })
  const notary = await openAuditNotary({
    store: store.audit,
    directory: join(directory, 'keys'),
    origin: undefined,
    fallbackOrigin: 'aegis/bench',
    clock: { now: () => at, monotonicMs: () => performance.now(), sleep: async () => undefined },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const { audit, agents } = store
  return {
    store,
    audit: makeAuditControl({ audit, notary, agents, pause: () => setImmediate() }),
    async [Symbol.asyncDispose]() {
      await notary[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

/** Appends entries from so many writers, each of which waits for its own. Milliseconds. */
export async function appendEntries(
  { store }: AuditLog,
  count: number,
  writers: number,
): Promise<number> {
  let next = 0
  const beganMs = performance.now()
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (next < count) await store.audit.record([connecting(next++)])
    }),
  )
  return performance.now() - beganMs
}

const at = '2026-11-22T15:04:05.123Z'

/** As the egress gateway records them: some 350 bytes. */
const connecting = (number: number): AuditEntry => ({
  at,
  type: 'execution.connecting',
  agentId: 'a0000000-0000-4000-8000-000000000001',
  executionId: `e0000000-0000-4000-8000-${String(number % 5000).padStart(12, '0')}`,
  data: {
    connection: number,
    host: 'api.example.com',
    port: 443,
    address: '203.0.113.7',
    via: 'name',
    reading: 'opaque',
    policies: ['agent/echo/network-0'],
  },
})
