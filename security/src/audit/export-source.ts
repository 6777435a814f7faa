import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AegisError,
  entriesPath,
  hashLength,
  type LogSource,
  readBundle,
  type Tile,
  tilePath,
  tileWidth,
} from '@aegis/core/audit'

/** A log in a directory, in the form of C2SP tlog-tiles, for whoever looks it over. */
export const exportSource = (directory: string, size: number): LogSource => ({
  size,
  async tile(tile) {
    const bytes = read(directory, tilePath({ kind: 'hashes', ...tile }))
    const whole = bytes ?? read(directory, tilePath({ kind: 'hashes', ...tile, width: tileWidth }))
    const length = tile.width * hashLength
    if (whole === undefined || whole.length < length) throw damaged(tile, whole?.length ?? 0)
    if (bytes !== undefined && bytes.length > length) throw damaged(tile, 0)
    return whole.subarray(0, length)
  },
  async bundle(index, width) {
    const bytes =
      read(directory, entriesPath(index, width)) ?? read(directory, entriesPath(index, tileWidth))
    const { bodies, rest } = readBundle(bytes ?? new Uint8Array())
    const first = index * tileWidth
    const isTooLong = bodies.length > width || rest > 0
    return {
      bodies: Array.from({ length: width }, (_, offset) => {
        const body = bodies[offset]
        return body && { body }
      }),
      surplus: isTooLong ? [first + Math.min(bodies.length, width)] : [],
    }
  },
})

function read(directory: string, path: string): Uint8Array | undefined {
  const file = join(directory, path)
  return existsSync(file) ? readFileSync(file) : undefined
}

/** Which entry the first hash that is not there is of, or covers. */
function damaged({ level, index }: Tile, length: number): AegisError {
  const there = Math.floor(length / hashLength)
  const entry = (index * tileWidth + there) * tileWidth ** level
  const message = `The tile ${level}/${index} of the export is not whole.`
  return new AegisError('invalid', 'audit.export', message, { details: { entry } })
}
