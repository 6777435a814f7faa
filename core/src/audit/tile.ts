/** Levels of the tree that one tile spans: it holds 256 hashes (C2SP tlog-tiles). */
export const tileHeight = 8
export const tileWidth = 256

/** Largest tree: beyond it, numbers of JavaScript lose their ones. */
export const maxTreeSize = Number.MAX_SAFE_INTEGER

/** Consecutive hashes of one level. Those of level L each cover 256^L entries. */
export interface Tile {
  readonly level: number
  readonly index: number
  /** 256, or fewer at the right edge of the tree. */
  readonly width: number
}

/** How many hashes of a tile level are complete in a tree. */
export const hashCount = (level: number, size: number): number =>
  Math.floor(size / tileWidth ** level)

/** The tile at a place, as wide as a tree of this size has it; undefined where it has none. */
export function tileAt(level: number, index: number, size: number): Tile | undefined {
  const width = Math.min(tileWidth, hashCount(level, size) - index * tileWidth)
  return width > 0 ? { level, index, width } : undefined
}

/** The tiles that a tree of size `size` has and one of size `from` has not, level by level. */
export function* tilesBetween(from: number, size: number): Generator<Tile> {
  for (let level = 0; hashCount(level, size) > 0; level += 1) {
    if (hashCount(level, from) === hashCount(level, size)) continue
    const first = Math.floor(hashCount(level, from) / tileWidth)
    for (let index = first; index * tileWidth < hashCount(level, size); index += 1) {
      const tile = tileAt(level, index, size)
      if (tile !== undefined) yield tile
    }
  }
}
