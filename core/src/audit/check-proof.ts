import { AegisError } from '../kernel/aegis-error.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { hashLength, makeMerkleHash, sameBytes } from './merkle-hash.ts'
import { rootOfInclusion } from './merkle-proof.ts'
import type { NoteCrypto, NoteKey } from './signed-note.ts'
import { parseProof } from './tlog-proof.ts'

/** What a proof shows. */
export interface ProvenEntry {
  readonly index: number
  readonly checkpoint: Checkpoint
  /** Undefined where the log had dropped it: then its hash is proven, and no more. */
  readonly body: Uint8Array | undefined
  readonly leaf: Uint8Array
}

/**
 * Checks a proof with nothing but the public key. `body`: the entry, kept elsewhere; it must be the
 * one that is proven.
 * @throws AegisError `invalid` / `audit.proof-wrong` it proves nothing · what `parseProof` and
 * `openCheckpoint` throw
 */
export function checkProof(
  text: string,
  key: NoteKey,
  crypto: NoteCrypto,
  body?: Uint8Array,
): ProvenEntry {
  const hash = makeMerkleHash(crypto.sha256)
  const { index, extra, path, checkpoint: note } = parseProof(text)
  const checkpoint = openCheckpoint(note, key, crypto.verify)
  // No entry is as short as a hash, so that the two cannot be taken for each other.
  const entry = extra?.length === hashLength ? undefined : extra
  const leaf = entry === undefined ? (extra ?? (body && hash.leaf(body))) : hash.leaf(entry)
  if (leaf === undefined) {
    throw wrong('it names no entry, so that the entry itself is needed', index)
  }
  if (body !== undefined && !sameBytes(hash.leaf(body), leaf)) {
    throw wrong('it is the proof of another entry', index)
  }
  const root = rootOfInclusion(hash, { index, size: checkpoint.size, leaf, proof: path })
  if (root === undefined || !sameBytes(root, checkpoint.root)) {
    throw wrong(`entry ${index} does not lead to the root that was signed`, index)
  }
  return { index, checkpoint, body: entry ?? body, leaf }
}

const wrong = (why: string, index: number): AegisError =>
  new AegisError('invalid', 'audit.proof-wrong', `This proves nothing: ${why}.`, {
    details: { index },
  })
