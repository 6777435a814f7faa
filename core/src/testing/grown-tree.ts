import { hashLength, type MerkleHash } from '../audit/merkle-hash.ts'
import { makeStoredTree, type StoredTree } from '../audit/stored-tree.ts'
import { type Tile, tileWidth } from '../audit/tile.ts'
import { emptyHead, growTree, type TreeHead } from '../audit/tree-head.ts'

/** A tree in memory, grown from leaves, whose tiles can be read. */
export function growInMemory(
  merkle: MerkleHash,
  leaves: readonly Uint8Array[],
): {
  readonly head: TreeHead
  readonly tree: (size: number) => StoredTree
  readonly read: (tile: Tile) => Promise<Uint8Array>
} {
  const hashes = new Map<string, Uint8Array>()
  const head = growTree(merkle, emptyHead, leaves, (level, index, hash) => {
    hashes.set(`${level}/${index}`, hash)
  })
  const read = async ({ level, index, width }: Tile): Promise<Uint8Array> => {
    const bytes = new Uint8Array(width * hashLength)
    for (let at = 0; at < width; at += 1) {
      const hash = hashes.get(`${level}/${index * tileWidth + at}`)
      if (hash === undefined) throw new Error(`Nothing was stored at ${level}/${index}+${at}`)
      bytes.set(hash, at * hashLength)
    }
    return bytes
  }
  return { head, tree: (size) => makeStoredTree(merkle, size, read), read }
}
