import { invalidKernel } from '../invalid-kernel.ts'

/** The form in which kernels are packed with lz4: blocks with their sizes, and no end but the file's. */
export const lz4Magic = Buffer.from('02214c18', 'hex')

/**
 * Unpacks LZ4's legacy frames.
 * @throws AegisError `invalid` / `kernel.invalid` it is none, or unpacks to more than `maxBytes`
 */
export function unpackLz4(packed: Buffer, maxBytes: number): Buffer {
  if (!packed.subarray(0, 4).equals(lz4Magic)) throw broken()
  const parts: Buffer[] = []
  const room = Buffer.allocUnsafe(blockBytes)
  let total = 0
  for (let at = 4; at + 4 <= packed.length; ) {
    const size = packed.readUInt32LE(at)
    at += 4
    // A frame may begin again; and the kernel's build appends the unpacked size, which is no block.
    if (size === lz4Magic.readUInt32LE()) continue
    if (at === packed.length && size === total) break
    if (size === 0 || at + size > packed.length) throw broken()
    const part = unpackBlock(packed.subarray(at, at + size), room)
    total += part.length
    if (total > maxBytes) throw invalidKernel(`unpacks to more than ${maxBytes} bytes`)
    parts.push(part)
    at += size
  }
  return Buffer.concat(parts)
}

/** Of each block but the last, which is smaller. */
const blockBytes = 8 << 20

/** A token says how many bytes are taken as they are, and how many are repeated from before. */
function unpackBlock(block: Buffer, out: Buffer): Buffer {
  let to = 0
  let at = 0
  const byte = (): number => {
    const value = block[at++]
    if (value === undefined) throw broken()
    return value
  }
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    for (let more = nibble === 15 ? 255 : 0; more === 255; length += more) more = byte()
    return length
  }
  while (at < block.length) {
    const token = byte()
    const literals = lengthFrom(token >> 4)
    if (at + literals > block.length || to + literals > blockBytes) throw broken()
    block.copy(out, to, at, at + literals)
    at += literals
    to += literals
    if (at === block.length) break
    const offset = byte() | (byte() << 8)
    const length = lengthFrom(token & 15) + 4
    if (offset === 0 || offset > to || to + length > blockBytes) throw broken()
    // One after the other: what is repeated may reach into itself.
    for (let end = to + length; to < end; to++) out[to] = out[to - offset] ?? 0
  }
  return Buffer.from(out.subarray(0, to))
}

const broken = () => invalidKernel('is packed with lz4 in a way that cannot be unpacked')
