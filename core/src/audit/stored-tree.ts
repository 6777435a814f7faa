import { hashLength, type MerkleHash } from './merkle-hash.ts'
import { type Tile, tileAt, tileHeight, tileWidth } from './tile.ts'
import type { TreeHead } from './tree-head.ts'

/** The hashes of a tile, 32 bytes each, exactly `width` of them. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array>

/** A tree whose hashes are read when they are needed. Made for a few questions: it keeps what it read. */
export interface StoredTree {
  readonly size: number
  /** MTH(D[begin:end]) of RFC 9162, where `begin` is a multiple of the smallest power of two ≥ end − begin. */
  range(begin: number, end: number): Promise<Uint8Array>
  /** The head that the tree had when it held `size` entries. */
  head(size: number): Promise<TreeHead>
}

export function makeStoredTree(hash: MerkleHash, size: number, readTile: ReadTile): StoredTree {
  const tiles = new Map<string, Promise<Uint8Array>>()

  const tileOf = (level: number, index: number): Promise<Uint8Array> => {
    const tile = tileAt(level, index, size)
    if (tile === undefined) throw new RangeError(`A tree of ${size} has no tile ${level}/${index}`)
    const key = `${level}/${index}`
    const read = tiles.get(key) ?? readTile(tile)
    tiles.set(key, read)
    return read
  }

  /** The complete subtree of a height, the `index`-th of its kind. */
  const subtree = async (height: number, index: number): Promise<Uint8Array> => {
    const level = Math.floor(height / tileHeight)
    const count = 2 ** (height % tileHeight)
    const first = index * count
    const tile = await tileOf(level, Math.floor(first / tileWidth))
    const start = (first % tileWidth) * hashLength
    let row = splitHashes(tile.subarray(start, start + count * hashLength))
    while (row.length > 1) row = pairUp(hash, row)
    const [top] = row
    if (top === undefined) throw new RangeError('A tile that is too short')
    return top
  }

  const range = async (begin: number, end: number): Promise<Uint8Array> => {
    if (begin === 0 && end === 0) return hash.empty
    const left = largestPowerBelow(end - begin + 1)
    const whole = await subtree(Math.round(Math.log2(left)), begin / left)
    if (left === end - begin) return whole
    return hash.node(whole, await range(begin + left, end))
  }

  return {
    size,
    range,
    async head(size) {
      const edge: Uint8Array[] = []
      for (let done = 0; done < size; ) {
        const width = largestPowerBelow(size - done + 1)
        edge.push(await range(done, done + width))
        done += width
      }
      return { size, edge }
    },
  }
}

/** The largest power of two that is smaller than `count`, which is at least 2. */
export function largestPowerBelow(count: number): number {
  let power = 1
  while (power * 2 < count) power *= 2
  return power
}

export function splitHashes(bytes: Uint8Array): Uint8Array[] {
  const hashes: Uint8Array[] = []
  for (let at = 0; at + hashLength <= bytes.length; at += hashLength) {
    hashes.push(bytes.subarray(at, at + hashLength))
  }
  return hashes
}

function pairUp(hash: MerkleHash, row: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = []
  for (let at = 0; at + 1 < row.length; at += 2) {
    const [left, right] = [row[at], row[at + 1]]
    if (left !== undefined && right !== undefined) above.push(hash.node(left, right))
  }
  return above
}
