import fc from 'fast-check'
import { expect, it } from 'vitest'
import { StreamDemuxer } from './stream-demuxer.ts'

const frame = (stream: number, content: Uint8Array): Buffer => {
  const header = Buffer.alloc(8)
  header.writeUInt8(stream, 0)
  header.writeUInt32BE(content.length, 4)
  return Buffer.concat([header, content])
}

function demux(chunks: readonly Buffer[]) {
  const parts: { out: Buffer[]; err: Buffer[] } = { out: [], err: [] }
  const demuxer = new StreamDemuxer({
    onStdout: (bytes) => parts.out.push(Buffer.from(bytes)),
    onStderr: (bytes) => parts.err.push(Buffer.from(bytes)),
  })
  for (const chunk of chunks) demuxer.push(chunk)
  return { out: Buffer.concat(parts.out), err: Buffer.concat(parts.err) }
}

const frames = fc.array(
  fc.record({
    stream: fc.constantFrom(0, 1, 2, 3),
    content: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  }),
)

it('gives each stream its bytes in order, however the connection cuts them', () => {
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 30 }), (sent, step) => {
      const all = Buffer.concat(sent.map(({ stream, content }) => frame(stream, content)))
      const chunks = Array.from({ length: Math.ceil(all.length / step) }, (_, index) =>
        all.subarray(index * step, (index + 1) * step),
      )
      const of = (...streams: number[]) =>
        Buffer.concat(sent.flatMap((one) => (streams.includes(one.stream) ? [one.content] : [])))
      expect(demux(chunks)).toEqual({ out: of(1), err: of(2, 3) })
    }),
  )
})

it('refuses bytes that are no frame', () => {
  expect(() => demux([Buffer.from('HTTP/1.1 400 Bad Request')])).toThrow(/no known stream/)
  expect(() => demux([frame(4, Buffer.from('x'))])).toThrow(/no known stream/)
})

it('hands a huge frame on before it is whole', () => {
  const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
  expect(demux([header, Buffer.from('start')]).out.toString()).toBe('start')
})
