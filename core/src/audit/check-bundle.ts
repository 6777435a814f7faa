import type { FindingList } from './finding-list.ts'
import { type MerkleHash, sameBytes } from './merkle-hash.ts'
import { type AuditKeys, keysOf, readEntry } from './read-entry.ts'

/** A body where it stands, and what it is looked up by, where the place has such keys. */
export interface FoundBody {
  readonly body: Uint8Array
  readonly keys?: AuditKeys | undefined
}

/** What one bundle of entries tells of the log. */
export interface BundleOutcome {
  readonly checked: number
  /** Entries whose bodies are not there. */
  readonly missing: readonly number[]
  /** Up to here, the log says, bodies were dropped. */
  readonly droppedBefore: number
}

/** Type of the entry that says which bodies were dropped: all before `data.before`. */
export const bodiesDropped = 'audit.bodies-dropped'

/** Holds bodies against the hashes of their leaves; `first` is the index of the first. */
export function checkBundle(
  hash: MerkleHash,
  findings: FindingList,
  first: number,
  leaves: readonly (Uint8Array | undefined)[],
  bodies: readonly (FoundBody | undefined)[],
): BundleOutcome {
  const missing: number[] = []
  let checked = 0
  let droppedBefore = 0
  for (const [offset, leaf] of leaves.entries()) {
    const index = first + offset
    const found = bodies[offset]
    if (found === undefined) {
      missing.push(index)
      continue
    }
    checked += 1
    if (leaf === undefined) continue // That its hash is gone was said where it was read.
    if (!sameBytes(hash.leaf(found.body), leaf)) {
      const message = `Entry ${index} is not what was appended there.`
      findings.add({ code: 'changed', index, message })
      continue
    }
    const entry = readEntry(found.body)
    if (entry === undefined) continue
    if (found.keys !== undefined && !sameKeys(found.keys, keysOf(entry))) {
      const message = `Entry ${index} is whole, but the store finds it by other words than it says.`
      findings.add({ code: 'mislabelled', index, message })
    }
    const { before } = entry.data
    if (entry.type === bodiesDropped && typeof before === 'number') {
      droppedBefore = Math.max(droppedBefore, Math.min(before, index))
    }
  }
  return { checked, missing, droppedBefore }
}

const sameKeys = (a: AuditKeys, b: AuditKeys): boolean =>
  a.at === b.at &&
  a.type === b.type &&
  a.actor === b.actor &&
  a.agentId === b.agentId &&
  a.executionId === b.executionId
