import type { AuditEntry } from '../audit/audit-entry.ts'
import {
  type AuditStore,
  matches,
  type StoredCheckpoint,
  type StoredEntry,
  tileAbsent,
} from '../audit/audit-store.ts'
import { encodeEntry } from '../audit/encode-entry.ts'
import { hashLength, makeMerkleHash } from '../audit/merkle-hash.ts'
import { keysOf } from '../audit/read-entry.ts'
import { tileWidth } from '../audit/tile.ts'
import { emptyHead, growTree } from '../audit/tree-head.ts'
import { pureSha256 } from './pure-sha256.ts'

export interface InMemoryAudit extends AuditStore {
  /** What goes with events, at once. */
  append(entries: readonly AuditEntry[]): void
}

/** The audit's log in memory, for tests. It passes the contract that the durable ones pass. */
export function makeInMemoryAudit(
  failRecord: (entries: readonly AuditEntry[]) => void = () => undefined,
): InMemoryAudit {
  const merkle = makeMerkleHash(pureSha256)
  const hashes = new Map<number, Uint8Array[]>()
  const listeners = new Set<(entries: readonly StoredEntry[]) => void>()
  let stored: StoredEntry[] = []
  let head = emptyHead
  const checkpoints = new Map<number, StoredCheckpoint>()

  const append = (entries: readonly AuditEntry[]): void => {
    if (entries.length === 0) return
    const fresh = entries.map(
      (entry, offset): StoredEntry => ({
        index: head.size + offset,
        body: encodeEntry(entry, pureSha256),
        keys: keysOf(entry),
      }),
    )
    const leaves = fresh.map(({ body }) => merkle.leaf(body))
    head = growTree(merkle, head, leaves, (level, _, hash) => {
      const row = hashes.get(level) ?? []
      row.push(hash)
      hashes.set(level, row)
    })
    stored.push(...fresh)
    for (const listener of [...listeners]) {
      try {
        listener(fresh)
      } catch {
        // As with events: what a subscriber throws is its own affair.
      }
    }
  }

  return {
    append,
    async record(entries) {
      await Promise.resolve()
      failRecord(entries)
      append(entries)
    },
    async head() {
      return head
    },
    async tile(tile) {
      const first = tile.index * tileWidth
      const row = (hashes.get(tile.level) ?? []).slice(first, first + tile.width)
      if (row.length < tile.width) throw tileAbsent(tile)
      const bytes = new Uint8Array(tile.width * hashLength)
      for (const [at, hash] of row.entries()) bytes.set(hash, at * hashLength)
      return bytes
    },
    async entries(from, limit) {
      return stored.filter(({ index }) => index >= from).slice(0, limit)
    },
    async find(filter, limit) {
      return stored
        .filter((entry) => matches(filter, entry))
        .reverse()
        .slice(0, limit)
    },
    async firstKept() {
      return stored[0]?.index ?? head.size
    },
    async dropBodies(before, entry) {
      await Promise.resolve()
      stored = stored.filter(({ index }) => index >= before)
      append([entry])
    },
    async size() {
      return head.size
    },
    async checkpoints() {
      return [...checkpoints.values()].sort((a, b) => a.size - b.size)
    },
    async saveCheckpoint(saved) {
      await Promise.resolve()
      checkpoints.set(saved.size, saved)
    },
    subscribe(listener) {
      const entry = (entries: readonly StoredEntry[]) => listener(entries)
      listeners.add(entry)
      return { [Symbol.dispose]: () => void listeners.delete(entry) }
    },
  }
}
