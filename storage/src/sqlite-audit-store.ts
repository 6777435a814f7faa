import type { DatabaseSync } from 'node:sqlite'
import type { Logger } from '@aegis/core'
import {
  type AuditStore,
  hashLength,
  type StoredCheckpoint,
  type StoredEntry,
  tileAbsent,
  tileWidth,
} from '@aegis/core/audit'
import { fromAuditRow } from './audit-row.ts'
import { type AuditWriter, type NewEntry, newEntry } from './audit-writer.ts'
import { makeFindAuditEntries } from './find-audit-entries.ts'
import { prepared } from './prepared.ts'
import { auditDamaged, awaiting, translating } from './sqlite-error.ts'
import type { AuditEntryRow, AuditHashRow } from './store-tables.ts'

export interface SqliteAuditStore extends AuditStore {
  /** Tells of what a commit stored. */
  tell(entries: readonly StoredEntry[]): void
}

export interface SqliteAuditStoreDeps {
  readonly database: DatabaseSync
  readonly path: string
  readonly logger: Logger | undefined
  readonly writer: AuditWriter
  /** Does the work in the next shared transaction and then appends the entries that it returns. */
  readonly submit: (work: () => readonly NewEntry[]) => Promise<void>
}

/** How many old checkpoints stay beside the latest. */
const keptCheckpoints = 100

/** The log of the audit in the tables of a node. */
export function makeSqliteAuditStore(deps: SqliteAuditStoreDeps): SqliteAuditStore {
  const { database, path, logger, writer, submit } = deps
  const listeners = new Set<Listener>()
  const find = makeFindAuditEntries(database)
  const statements = prepare(database)

  /** As far as the hashes of entries go, whatever else is damaged. */
  const sizeOf = (): number => (statements.last.get()?.idx ?? -1) + 1

  return {
    async record(entries) {
      const sealed = entries.map(newEntry)
      if (sealed.length > 0) await submit(() => sealed)
    },
    async head() {
      return translating(path, () => writer.head)
    },
    async tile(tile) {
      const { level, index, width } = tile
      const first = index * tileWidth
      const whole = translating(path, () => statements.tile.get(level, first, first + width))
      if (whole?.hashes?.length === 2 * hashLength * width && whole.shortest === hashLength) {
        return Buffer.from(whole.hashes, 'hex')
      }
      // Something is not there: which?
      const rows = translating(path, () => statements.hashes.all(level, first, first + width))
      const hashes = new Uint8Array(width * hashLength)
      for (let offset = 0; offset < width; offset += 1) {
        const row = rows[offset]
        if (row?.idx === first + offset && row.hash.length === hashLength) {
          hashes.set(row.hash, offset * hashLength)
          continue
        }
        if ((first + width) * tileWidth ** level > sizeOf()) throw tileAbsent(tile)
        throw auditDamaged(path, (first + offset) * tileWidth ** level)
      }
      return hashes
    },
    async entries(from, limit) {
      return translating(path, () => statements.entries.all(from, limit)).map(fromAuditRow)
    },
    async find(filter, limit, signal) {
      return awaiting(path, find(filter, limit, sizeOf(), signal))
    },
    async firstKept() {
      return translating(path, () => statements.first.get()?.idx ?? sizeOf())
    },
    async dropBodies(before, entry) {
      const sealed = [newEntry(entry)]
      await submit(() => {
        statements.drop.run(before)
        return sealed
      })
    },
    async size() {
      return translating(path, sizeOf)
    },
    async checkpoints() {
      return translating(path, () => statements.checkpoints.all())
    },
    async saveCheckpoint({ size, note, key }) {
      await submit(() => {
        statements.saveCheckpoint.run(size, note, key)
        statements.forgetCheckpoints.run(keptCheckpoints)
        return []
      })
    },
    subscribe(listener) {
      const entry: Listener = (stored) => listener(stored)
      listeners.add(entry)
      return { [Symbol.dispose]: () => void listeners.delete(entry) }
    },
    tell(entries) {
      if (entries.length === 0) return
      for (const listener of [...listeners]) {
        try {
          listener(entries)
        } catch (error) {
          logger?.error({ err: error }, 'a subscriber of the audit failed')
        }
      }
    },
  }
}

type Listener = (entries: readonly StoredEntry[]) => void

const prepare = (database: DatabaseSync) => ({
  // One row for a tile: two hundred and fifty-six would take ten times as long.
  tile: prepared<{ readonly hashes: string | null; readonly shortest: number | null }>(
    database,
    `select group_concat(hex(hash), '' order by idx) as hashes, min(length(hash)) as shortest
     from audit_hashes where level = ? and idx >= ? and idx < ?`,
  ),
  hashes: prepared<AuditHashRow>(
    database,
    `select level, idx, hash from audit_hashes
     where level = ? and idx >= ? and idx < ? order by idx`,
  ),
  entries: prepared<AuditEntryRow>(
    database,
    'select * from audit_entries where idx >= ? order by idx limit ?',
  ),
  first: prepared<{ readonly idx: number }>(
    database,
    'select idx from audit_entries order by idx limit 1',
  ),
  last: prepared<{ readonly idx: number }>(
    database,
    'select idx from audit_hashes where level = 0 order by idx desc limit 1',
  ),
  drop: database.prepare('delete from audit_entries where idx < ?'),
  checkpoints: prepared<StoredCheckpoint>(
    database,
    'select size, note, key from audit_checkpoints order by size',
  ),
  saveCheckpoint: database.prepare(
    'insert or replace into audit_checkpoints (size, note, key) values (?, ?, ?)',
  ),
  forgetCheckpoints: database.prepare(
    `delete from audit_checkpoints where size <=
     (select size from audit_checkpoints order by size desc limit 1 offset ?)`,
  ),
})
