import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jsonLines, lineMaxCharacters } from './json-lines.ts'

async function* cut(bytes: Uint8Array, step: number) {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}

it('gives every value, however the connection cuts the lines', async () => {
  const values = fc.array(fc.jsonValue(), { maxLength: 8 })
  const ends = fc.constantFrom('\n', '\r\n')
  await fc.assert(
    fc.asyncProperty(values, ends, fc.integer({ min: 1, max: 20 }), async (sent, end, step) => {
      const text = sent.map((value) => JSON.stringify(value)).join(end)
      const received = await Array.fromAsync(jsonLines(cut(Buffer.from(text), step)))
      expect(JSON.stringify(received)).toBe(JSON.stringify(sent))
    }),
  )
})

it('refuses what is no JSON', async () => {
  await expect(Array.fromAsync(jsonLines(cut(Buffer.from('{}\nno'), 9)))).rejects.toThrow(
    SyntaxError,
  )
})

it('does not collect a line without an end', async () => {
  async function* endless() {
    for (;;) yield Buffer.alloc(lineMaxCharacters / 4, 'x')
  }
  await expect(Array.fromAsync(jsonLines(endless()))).rejects.toThrow(RangeError)
})
