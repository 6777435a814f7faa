import { AegisError } from '../kernel/aegis-error.ts'
import type { AuditNotary } from './audit-notary.ts'
import type { AuditStore } from './audit-store.ts'
import { openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { type MerkleHash, sameBytes } from './merkle-hash.ts'
import { isConsistent, proveConsistency, proveInclusion, rootOfInclusion } from './merkle-proof.ts'
import { makeStoredTree } from './stored-tree.ts'
import { formatProof } from './tlog-proof.ts'
import { rootOf } from './tree-head.ts'

interface Deps {
  readonly audit: AuditStore
  readonly notary: AuditNotary
  readonly merkle: MerkleHash
}

/**
 * A proof that an entry is in the log, at its present size or at an earlier one. Nothing is signed
 * that was only read from the disk: an earlier root is first shown to lead to that in memory.
 * @throws AegisError `unavailable` / `audit.forked`
 */
export async function proveEntry(deps: Deps, index: number, size?: number): Promise<string> {
  const { audit, notary, merkle } = deps
  const latest = await notary.checkpoint()
  const { size: newest, root: newestRoot } = openCheckpoint(
    latest.note,
    notary.signer.key,
    notary.verify,
  )
  const at = size ?? newest
  if (at > newest) throw tooLarge(at, newest)
  const tree = makeStoredTree(merkle, newest, (tile) => audit.tile(tile))
  const root = at === newest ? newestRoot : rootOf(merkle, await tree.head(at))
  if (at < newest) {
    const proof = await proveConsistency(tree, at, newest)
    const claim = { old: at, oldRoot: root, size: newest, root: newestRoot, proof }
    if (!isConsistent(merkle, claim)) throw damaged(index)
  }
  const path = await proveInclusion(tree, index, at)
  const leaf = await tree.range(index, index + 1)
  const led = rootOfInclusion(merkle, { index, size: at, leaf, proof: path })
  if (led === undefined || !sameBytes(led, root)) throw damaged(index)
  const [found] = await audit.entries(index, 1)
  const body = found?.index === index ? found.body : undefined
  if (body !== undefined && !sameBytes(merkle.leaf(body), leaf)) throw damaged(index)
  return formatProof({
    index,
    extra: body ?? leaf,
    path,
    checkpoint: at === newest ? latest.note : signCheckpoint({ size: at, root }, notary.signer),
  })
}

const tooLarge = (size: number, newest: number): AegisError =>
  new AegisError(
    'not-found',
    'audit.absent',
    `The audit has ${newest} entries, so there is no proof for a size of ${size}.`,
  )

const damaged = (index: number): AegisError =>
  new AegisError(
    'unavailable',
    'audit.forked',
    `The audit cannot prove entry ${index}: it, or a hash that leads to it, was changed. See what is wrong with aegis audit verify.`,
  )
