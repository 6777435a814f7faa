import { AegisError } from '../kernel/aegis-error.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AuditEntry, AuditTrail } from './audit-entry.ts'
import type { AuditKeys } from './read-entry.ts'
import type { Tile } from './tile.ts'
import type { TreeHead } from './tree-head.ts'

/**
 * Where the log is kept: entries, numbered from 0 without a gap, and the hashes of their tree.
 * Entries of events are appended in the transaction of their events; nothing is ever changed, and
 * only bodies are dropped. It tells what is stored, not whether that is what was once appended.
 */
export interface AuditStore extends AuditTrail {
  /**
   * The tree of all durable entries; never behind an acknowledged one, never ahead of a commit.
   * @throws AegisError `unavailable` / `audit.damaged` its right edge is not there
   */
  head(): Promise<TreeHead>
  /** How many entries have a hash, also where the rest of the tree is damaged. */
  size(): Promise<number>
  /**
   * The hashes of a tile.
   * @throws AegisError `not-found` / `audit.tile` the log is too small · `unavailable` / `audit.damaged`
   */
  tile(tile: Tile): Promise<Uint8Array>
  /** At most `limit` entries from `from` on whose bodies are kept, oldest first. */
  entries(from: number, limit: number): Promise<readonly StoredEntry[]>
  /**
   * The newest entries that match, newest first, at most `limit`, and none at or behind `before`.
   * Looks at a bounded number of entries at a time, so that others get their turn.
   */
  find(filter: AuditFilter, limit: number, signal: AbortSignal): Promise<readonly StoredEntry[]>
  /** The oldest entry whose body is kept; the size of the log when there is none. */
  firstKept(): Promise<number>
  /** Drops the bodies of all entries before `index`, and records `entry` in the same transaction. */
  dropBodies(before: number, entry: AuditEntry): Promise<void>
  /** The latest checkpoints that were stored, the newest last; at least a hundred are kept. */
  checkpoints(): Promise<readonly StoredCheckpoint[]>
  saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void>
  /** Calls `listener` after each commit with the entries that it stored. */
  subscribe(listener: (entries: readonly StoredEntry[]) => void): Disposable
}

export interface StoredEntry {
  readonly index: number
  /** Canonical JSON in UTF-8: what the leaf of the tree is the hash of. */
  readonly body: Uint8Array
  /** As the store looks entries up; equal to what the body says. */
  readonly keys: AuditKeys
}

/** A checkpoint as it was signed. */
export interface StoredCheckpoint {
  readonly size: number
  readonly note: string
  /** The verifier's key of who signed it. */
  readonly key: string
}

/** Absent fields match everything. */
export interface AuditFilter {
  readonly type?: string | undefined
  readonly actor?: string | undefined
  readonly agentId?: string | undefined
  readonly executionId?: string | undefined
  /** At this time or later. */
  readonly since?: Instant | undefined
  /** Before this time. */
  readonly until?: Instant | undefined
  /** Only entries before this one. */
  readonly before?: number | undefined
}

export const matches = (filter: AuditFilter, { index, keys }: StoredEntry): boolean =>
  (filter.type === undefined || matchesType(filter.type, keys.type)) &&
  (filter.actor === undefined || filter.actor === keys.actor) &&
  (filter.agentId === undefined || filter.agentId === keys.agentId) &&
  (filter.executionId === undefined || filter.executionId === keys.executionId) &&
  (filter.since === undefined || keys.at >= filter.since) &&
  (filter.until === undefined || keys.at < filter.until) &&
  (filter.before === undefined || index < filter.before)

/** `execution.*` matches all that begin so. */
const matchesType = (wanted: string, type: string): boolean =>
  wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : wanted === type

export const tileAbsent = ({ level, index, width }: Tile): AegisError =>
  new AegisError(
    'not-found',
    'audit.tile',
    `The log is too small for tile ${level}/${index} with ${width} hashes. The checkpoint says how far it goes.`,
  )
