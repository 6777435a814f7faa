import type { DatabaseSync } from 'node:sqlite'
import type { AuditEntry } from '@aegis/core'
import {
  emptyHead,
  encodeEntry,
  growTree,
  hashCount,
  keysOf,
  makeMerkleHash,
  type StoredEntry,
  type TreeHead,
  tileWidth,
} from '@aegis/core/audit'
import { prepared } from './prepared.ts'
import { sha256 } from './sha256.ts'
import { auditDamaged, isTaken } from './sqlite-error.ts'

/** An entry that has no place in the log yet. */
export type NewEntry = Omit<StoredEntry, 'index'>

/**
 * Appends entries to the log, as the last step of a transaction: only entries of work that succeeded
 * arrive here, so that a savepoint which is rolled back never touches the tree. The head that is
 * shown moves after the commit; when the commit fails, it is read again from what is stored.
 */
export interface AuditWriter {
  /** The tree of what is committed. @throws AegisError `unavailable` / `audit.damaged` */
  readonly head: TreeHead
  /** Inside the transaction. */
  seal(entries: readonly NewEntry[]): void
  /** The transaction is committed: what it stored. */
  committed(): readonly StoredEntry[]
  abandoned(): void
}

/** An entry as it will be stored. @throws RangeError where it is nested too deeply to be written */
export const newEntry = (entry: AuditEntry): NewEntry => ({
  body: encodeEntry(entry, sha256),
  keys: keysOf(entry),
})

export function makeAuditWriter(database: DatabaseSync, path: string): AuditWriter {
  const insertEntry = database.prepare(
    `insert into audit_entries (idx, at, type, actor, agent_id, execution_id, body)
     values (?, ?, ?, ?, ?, ?, ?)`,
  )
  const insertHash = database.prepare(
    'insert into audit_hashes (level, idx, hash) values (?, ?, ?)',
  )
  const merkle = makeMerkleHash(sha256)
  let head: TreeHead | undefined
  let sealed: { readonly head: TreeHead; readonly entries: readonly StoredEntry[] } | undefined

  const current = (): TreeHead => {
    head ??= loadHead(database, path)
    return head
  }

  const insert = ({ index, body, keys }: StoredEntry): void => {
    const { at, type, actor, agentId, executionId } = keys
    insertEntry.run(index, at, type, actor ?? null, agentId ?? null, executionId ?? null, body)
  }

  return {
    get head() {
      return current()
    },
    seal(entries) {
      if (entries.length === 0) return
      const before = current()
      const stored = entries.map((entry, offset) => ({ index: before.size + offset, ...entry }))
      try {
        for (const entry of stored) insert(entry)
        const leaves = stored.map(({ body }) => merkle.leaf(body))
        const after = growTree(merkle, before, leaves, (level, index, hash) => {
          insertHash.run(level, index, hash)
        })
        sealed = { head: after, entries: stored }
      } catch (error) {
        // Somebody has put rows where the next ones belong.
        if (isTaken(error)) throw auditDamaged(path, before.size, error)
        throw error
      }
    },
    committed() {
      if (sealed === undefined) return []
      const { entries } = sealed
      head = sealed.head
      sealed = undefined
      return entries
    },
    abandoned() {
      sealed = undefined
      head = undefined
    },
  }
}

/** The right edge of the stored tree: of each level, the hashes that fill no tile yet. */
function loadHead(database: DatabaseSync, path: string): TreeHead {
  const last = prepared<{ readonly idx: number }>(
    database,
    'select idx from audit_hashes where level = ? order by idx desc limit 1',
  )
  const read = prepared<{ readonly idx: number; readonly hash: Uint8Array }>(
    database,
    'select idx, hash from audit_hashes where level = ? and idx >= ? order by idx',
  )
  const merkle = makeMerkleHash(sha256)
  const size = (last.get(0)?.idx ?? -1) + 1
  const edge: Uint8Array[] = []
  for (let level = 0; hashCount(level, size) > 0 || last.get(level); level += 1) {
    const count = hashCount(level, size)
    const first = count - (count % tileWidth)
    const rows = read.all(level, first)
    const wrong = Array.from({ length: count - first }, (_, offset) => first + offset).find(
      (idx, offset) => rows[offset]?.idx !== idx,
    )
    if (wrong !== undefined || rows.length > count - first) {
      const index = (wrong ?? count) * tileWidth ** level
      throw auditDamaged(path, index)
    }
    const tile = rows.map(({ hash }) => hash)
    edge.unshift(...growTree(merkle, emptyHead, tile, () => undefined).edge)
  }
  return { size, edge }
}
