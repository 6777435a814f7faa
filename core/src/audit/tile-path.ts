import { type Tile, tileWidth } from './tile.ts'

/** What a path of a tiled log names. */
export type TileResource =
  | ({ readonly kind: 'hashes' } & Tile)
  /** Entries instead of hashes: 256, or fewer at the right edge. */
  | { readonly kind: 'entries'; readonly index: number; readonly width: number }

/** `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`, N in groups of three digits. */
export function tilePath(resource: TileResource): string {
  const kind = resource.kind === 'hashes' ? String(resource.level) : 'entries'
  const partial = resource.width === tileWidth ? '' : `.p/${resource.width}`
  return `tile/${kind}/${indexPath(resource.index)}${partial}`
}

export const entriesPath = (index: number, width: number): string =>
  tilePath({ kind: 'entries', index, width })

/** What a path names; undefined where it is none, or not spelled in the one way. */
export function parseTilePath(path: string): TileResource | undefined {
  const match =
    /^tile\/(entries|0|[1-5]?[0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,4}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(
      path,
    )
  if (match === null) return undefined
  const [, kind = '', groups = '', partial] = match
  const index = Number(groups.replaceAll(/[x/]/g, ''))
  const width = partial === undefined ? tileWidth : Number(partial)
  const resource: TileResource =
    kind === 'entries'
      ? { kind, index, width }
      : { kind: 'hashes', level: Number(kind), index, width }
  return tilePath(resource) === path ? resource : undefined
}

function indexPath(index: number): string {
  const groups: string[] = []
  let rest = index
  do {
    groups.unshift(String(rest % 1000).padStart(3, '0'))
    rest = Math.floor(rest / 1000)
  } while (rest > 0)
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/')
}
