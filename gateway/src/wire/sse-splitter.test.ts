import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeSseSplitter } from './sse-splitter.ts'

const dataOf = (chunks: readonly Buffer[]): readonly string[] => {
  const splitter = makeSseSplitter()
  const frames = chunks.flatMap((chunk) => splitter.push(chunk))
  return frames.map(({ data }) => data).filter((data) => data !== '')
}

/** `bytes` cut at the given places. */
const cutAt = (bytes: Buffer, places: readonly number[]): readonly Buffer[] => {
  const edges = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)]
  return edges.map((edge, index) => bytes.subarray(edge, edges[index + 1] ?? bytes.length))
}

it('joins the data lines of an event and leaves the other fields out', () => {
  const text = ': hello\nevent: a\ndata: one\ndata:two\ndata\nid: 7\n\ndata: three\n\n'
  expect(dataOf([Buffer.from(text)])).toEqual(['one\ntwo\n', 'three'])
})

it.each(['\n', '\r\n', '\r'])('knows lines that end with %j', (eol) => {
  const text = ['event: x', 'data: one', '', 'data: two', 'data: three', '', ''].join(eol)
  expect(dataOf([Buffer.from(text)])).toEqual(['one', 'two\nthree'])
})

it('finds the same events however the stream is cut', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => `data: ${text}`),
    fc.constantFrom('', '', 'data', ': c', 'event: e', 'data:x'),
  )
  const ending = fc.constantFrom('\n', '\r\n', '\r')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(line, ending), { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (lines, places) => {
        const clean = lines.map(([text, eol]) => text.replace(/[\r\n]/g, '') + eol).join('')
        const bytes = Buffer.from(`${clean}\n\ndata: end\n\n`)
        expect(dataOf(cutAt(bytes, places))).toEqual(dataOf([bytes]))
      },
    ),
  )
})

it('loses no byte, whatever comes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }).map(Buffer.from), { maxLength: 10 }),
      (chunks) => {
        const splitter = makeSseSplitter()
        const frames = chunks.flatMap((chunk) => [...splitter.push(chunk)])
        const rest = splitter.flush()
        const bytes = [...frames, ...(rest === undefined ? [] : [rest])].map((one) => one.bytes)
        expect(Buffer.concat(bytes)).toEqual(Buffer.concat(chunks))
      },
    ),
  )
})

it('refuses an event that grows without an end', () => {
  const splitter = makeSseSplitter(100)
  expect(() => {
    for (let count = 0; count < 20; count++) splitter.push(Buffer.from('data: no end '))
  }).toThrow('more than 100 bytes')
})
