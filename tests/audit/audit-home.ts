import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { type AuditEntry, type AuditReport, makeAuditControl } from '@aegis/core'
import { type AuditNotary, type NoteKey, parseVerifierKey } from '@aegis/core/audit'
import {
  auditCrypto,
  exportLog,
  openAuditNotary,
  type ReadableLog,
  verifyExport,
  verifyHome,
} from '@aegis/security'
import { openSqliteStore, type Store } from '@aegis/storage'
import { silent } from '../contract/control-plane-host.ts'

const at = '2026-11-22T15:04:05.123Z'
const forever = new AbortController().signal

/** An entry like those of a node, of some hundred bytes, with its number in it. */
export const anEntry = (number: number): AuditEntry => ({
  at,
  type: number % 3 === 0 ? 'api.called' : 'execution.connecting',
  actor: number % 3 === 0 ? 'ci' : undefined,
  executionId: `e0000000-0000-4000-8000-${String(number % 7).padStart(12, '0')}`,
  data: { entry: `entry-${String(number).padStart(6, '0')}`, host: 'example.com', port: 443 },
})

/** A node's log on a disk, whose node does not run at the moment. */
export interface AuditHome extends AsyncDisposable {
  readonly directory: string
  readonly database: string
  readonly keys: string
  key(): Promise<NoteKey>
  /** Runs a node's log for as long as `use` takes. */
  run<T>(use: (store: Store, log: ReadableLog, notary: AuditNotary) => Promise<T>): Promise<T>
  append(count: number, from: number): Promise<void>
  /** What somebody with the right to write the file might do. */
  edit(sql: string): void
  verify(witnesses?: readonly string[]): Promise<AuditReport>
  export(directory: string, from?: number): Promise<void>
  /** Another home with the same content. */
  copy(): Promise<AuditHome>
}

export async function makeAuditHome(): Promise<AuditHome> {
  return homeAt(await mkdtemp(join(tmpdir(), 'aegis-audit-home-')))
}

function homeAt(directory: string): AuditHome {
  const database = join(directory, 'aegis.db')
  const keys = join(directory, 'keys')
  const home: AuditHome = {
    directory,
    database,
    keys,
    key: async () =>
      parseVerifierKey(await readFile(join(keys, 'audit.pub'), 'utf8'), auditCrypto.sha256),
    async run(use) {
      await using store = await openSqliteStore({ path: database })
      await using notary = await openAuditNotary({
        store: store.audit,
        directory: keys,
        origin: undefined,
        fallbackOrigin: 'aegis/test',
        clock: { now: () => at, monotonicMs: () => 0, sleep: async () => undefined },
        logger: silent,
      })
      const { audit, agents } = store
      return await use(store, makeAuditControl({ audit, notary, agents, pause }), notary)
    },
    async append(count, from) {
      await home.run(async ({ audit }) => {
        const numbers = Array.from({ length: count }, (_, one) => from + one)
        await Promise.all(numbers.map((number) => audit.record([anEntry(number)])))
      })
    },
    edit(sql) {
      using file = new DatabaseSync(database)
      file.exec(sql)
    },
    async verify(witnesses = []) {
      await using store = await openSqliteStore({ path: database })
      return await verifyHome({
        audit: store.audit,
        directory: keys,
        witnesses,
        onProgress: () => undefined,
        signal: forever,
      })
    },
    export: (target, from) =>
      home.run(async (_, log) => {
        const onProgress = () => undefined
        await exportLog({ log, directory: target, from, onProgress, signal: forever })
      }),
    async copy() {
      const target = await mkdtemp(join(tmpdir(), 'aegis-audit-home-'))
      await mkdir(target, { recursive: true })
      await cp(directory, target, { recursive: true })
      return homeAt(target)
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
  return home
}

export const checkExport = async (
  directory: string,
  key: NoteKey,
  options: { readonly witnesses?: readonly string[]; readonly from?: number } = {},
): Promise<AuditReport> => verifyExport({ directory, key, pause, signal: forever, ...options })

const pause = (): Promise<void> => setImmediate()

/** Whether what was found names this entry, alone or among the fewest that can be told apart. */
export const names = ({ findings }: AuditReport, index: number): boolean =>
  findings.some(
    (finding) =>
      finding.index !== undefined &&
      finding.index <= index &&
      index <= (finding.through ?? finding.index),
  )
