import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lz4Magic, unpackLz4 } from './unpack-lz4.ts'

const size = (bytes: number): Buffer => {
  const word = Buffer.alloc(4)
  word.writeUInt32LE(bytes)
  return word
}

/** Packs nothing: all of it as it is. */
function literally(content: Uint8Array): Buffer {
  const more = content.length - 15
  const head =
    more < 0
      ? [content.length << 4]
      : [0xf0, ...Array(Math.floor(more / 255)).fill(255), more % 255]
  return Buffer.concat([Buffer.from(head), content])
}

const framed = (...blocks: readonly Buffer[]): Buffer =>
  Buffer.concat([lz4Magic, ...blocks.flatMap((block) => [size(block.length), block])])

describe('a kernel that is packed with lz4', () => {
  it('is unpacked block by block, with what is repeated, up to the size behind them', () => {
    // "abc", then 10 bytes from 3 before, then "!" as it is.
    const repeated = Buffer.from([0x36, ...Buffer.from('abc'), 3, 0, 0x10, ...Buffer.from('!')])
    const whole = Buffer.concat([framed(repeated, literally(Buffer.from(' end'))), size(18)])
    expect(unpackLz4(whole, 100).toString()).toBe('abcabcabcabca! end')
  })

  it('gives back whatever was packed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { maxLength: 4 }),
        (parts) => {
          const unpacked = unpackLz4(framed(...parts.map(literally)), 1 << 20)
          expect(unpacked.equals(Buffer.concat(parts))).toBe(true)
        },
      ),
    )
  })

  it('is either unpacked or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(unpackLz4(framed(Buffer.from(bytes)), 1 << 20).length).toBeLessThanOrEqual(1 << 20)
        } catch (error) {
          expect(error).toBeInstanceOf(AegisError)
          expect(error).toMatchObject({ code: 'kernel.invalid' })
        }
      }),
    )
  })

  it.each([
    ['it is not', Buffer.from('something else')],
    ['it ends early', framed(literally(Buffer.from('whole'))).subarray(0, -1)],
    ['it repeats what was not there', framed(Buffer.from([0x10, 1, 9, 0, 0]))],
    ['a block has no bytes', Buffer.concat([lz4Magic, size(0), size(0)])],
  ])('is refused when %s', (_, packed) => {
    expect(() => unpackLz4(packed, 100)).toThrow(
      expect.objectContaining({ code: 'kernel.invalid' }),
    )
  })

  it('stops at what is allowed', () => {
    const bomb = Buffer.concat([
      Buffer.from([0x1f, 0, 1, 0]),
      Buffer.alloc(4000, 255),
      Buffer.from([0]),
    ])
    expect(() => unpackLz4(framed(bomb, bomb), 1_100_000)).toThrow('unpacks to more than')
  })
})
