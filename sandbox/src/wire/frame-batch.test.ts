import { PassThrough, Writable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameType } from './frame.ts'
import { FrameBatch } from './frame-batch.ts'
import { HEADER_BYTES, PAYLOAD_MAX_BYTES } from './limits.ts'

const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 20 })

/** Each frame's payload, in order. */
function payloadsIn(bytes: Buffer): readonly Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + bytes.readUInt16BE(at + 2)
    found.push(bytes.subarray(at + HEADER_BYTES, end))
    at = end
  }
  return found
}

it('sends what the payloads held when they were added, whatever becomes of them', async () => {
  await fc.assert(
    fc.asyncProperty(payloads, fc.integer({ min: 0, max: 3 }), async (small, large) => {
      const stream = new PassThrough({ highWaterMark: 1 << 20 })
      const batch = new FrameBatch(stream)
      const all = [
        ...small,
        ...Array.from({ length: large }, () => Buffer.alloc(PAYLOAD_MAX_BYTES, 7)),
      ]
      for (const one of all) {
        const lent = Buffer.from(one)
        batch.add(FrameType.data, 1, lent, 0)
        lent.fill(0xee)
      }
      batch.flush()
      expect(payloadsIn(stream.read())).toEqual(all.map((one) => Buffer.from(one)))
    }),
  )
})

it('sends the frames of one turn in one write', async () => {
  const writes: number[] = []
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      writes.push(chunk.length)
      done()
    },
  })
  const batch = new FrameBatch(stream)
  for (let n = 0; n < 10; n++) batch.add(FrameType.window, 1, Buffer.alloc(4), 0)
  expect(writes).toEqual([])
  await new Promise(setImmediate)
  expect(writes).toEqual([10 * (HEADER_BYTES + 4)])
})

it('uses no buffer again before the stream has done with it', async () => {
  const held: { chunk: Buffer; done: () => void }[] = []
  const stream = new Writable({
    highWaterMark: 1 << 24,
    write: (chunk: Buffer, _, done) => void held.push({ chunk, done }),
  })
  const batch = new FrameBatch(stream)
  batch.add(FrameType.data, 1, Buffer.alloc(20_000, 1), 0)
  batch.flush()
  batch.add(FrameType.data, 1, Buffer.alloc(20_000, 2), 0)
  batch.flush()
  expect(held[0]?.chunk.subarray(HEADER_BYTES).every((byte) => byte === 1)).toBe(true)
  held[0]?.done()
  await expect
    .poll(() => held[1]?.chunk.subarray(HEADER_BYTES).every((byte) => byte === 2))
    .toBe(true)
})
