import { PassThrough, Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { piecesOf } from './pieces-of.ts'

it('brings every piece of a stream as it was, and copies none', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(sizes, async (all) => {
      const pieces = all.map((size, index) => Buffer.alloc(size, index))
      const stream = new Readable({ highWaterMark: 100_000, read() {} })
      for (const piece of [...pieces, null]) stream.push(piece)
      const found = await Array.fromAsync(piecesOf(stream))
      expect(found.map(({ buffer, byteOffset }) => [buffer, byteOffset])).toEqual(
        pieces.map(({ buffer, byteOffset }) => [buffer, byteOffset]),
      )
    }),
    { numRuns: 50 },
  )
})

it('ends with what ended the stream, after the last piece', async () => {
  for (const error of [undefined, new Error('broken')]) {
    const stream = new PassThrough()
    stream.write('last')
    const pieces = piecesOf(stream)
    expect((await pieces.next()).value?.toString()).toBe('last')
    const next = pieces.next()
    stream.destroy(error)
    await expect(next).rejects.toThrow(error?.message ?? 'Premature close')
  }
})

it('holds a stream back while nobody reads, and ends it when nobody wants more', async () => {
  let reads = 0
  const stream = new Readable({
    highWaterMark: 1000,
    read() {
      reads++
      this.push(Buffer.alloc(1000))
    },
  })
  for await (const _ of piecesOf(stream)) {
    await new Promise((resolve) => setImmediate(resolve))
    expect(reads).toBeLessThan(4)
    break
  }
  expect(stream.destroyed).toBe(true)
})
