import type { MerkleHash } from './merkle-hash.ts'
import { tileHeight } from './tile.ts'

/**
 * All that is needed to go on with a tree and to name its root: its size, and the hashes of the
 * complete subtrees at its right edge, the largest first, one for each bit of the size.
 */
export interface TreeHead {
  readonly size: number
  readonly edge: readonly Uint8Array[]
}

export const emptyHead: TreeHead = { size: 0, edge: [] }

/** Takes the hash that stands at `index` of tile level `level`. */
export type StoreHash = (level: number, index: number, hash: Uint8Array) => void

/**
 * The head after more leaves. `store` gets every hash of a tile that they complete, each once: those
 * of the leaves (level 0), and above each 256 hashes one of the next level.
 */
export function growTree(
  hash: MerkleHash,
  head: TreeHead,
  leaves: Iterable<Uint8Array>,
  store: StoreHash,
): TreeHead {
  const edge = [...head.edge]
  let { size } = head
  for (const leaf of leaves) {
    store(0, size, leaf)
    let node = leaf
    let index = size
    for (let height = 1; index % 2 === 1; height += 1) {
      node = hash.node(edge.pop() ?? node, node)
      index = (index - 1) / 2
      if (height % tileHeight === 0) store(height / tileHeight, index, node)
    }
    edge.push(node)
    size += 1
  }
  return { size, edge }
}

export function rootOf(hash: MerkleHash, { edge }: TreeHead): Uint8Array {
  return (
    edge.reduceRight<Uint8Array | undefined>(
      (right, left) => (right === undefined ? left : hash.node(left, right)),
      undefined,
    ) ?? hash.empty
  )
}
