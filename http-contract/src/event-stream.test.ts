import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatComment, formatMessage, makeMessageParser } from './event-stream.ts'

const word = fc.string().filter((text) => !/[\r\n\0]/.test(text) && !text.startsWith(' '))

it('gives back every message that was sent, however the text is cut', () => {
  const sent = fc.array(fc.record({ id: word, event: word, data: fc.string({ unit: 'grapheme' }) }))
  fc.assert(
    fc.property(sent, fc.integer({ min: 1, max: 7 }), (messages, step) => {
      const text = messages.map((one) => `${formatComment('hi')}${formatMessage(one)}`).join('')
      const parse = makeMessageParser()
      const received = pieces(text, step).flatMap((piece) => parse(piece))
      expect(received).toEqual(
        messages.map(({ id, event, data }) => ({
          event: event === '' ? 'message' : event,
          data: data.replaceAll(/\r\n|\r/g, '\n'),
          lastEventId: id,
        })),
      )
    }),
  )
})

it('reads lines that end in CRLF, also when the two are cut apart', () => {
  const parse = makeMessageParser()
  expect([...parse('data: a\r'), ...parse('\ndata: b\r\n'), ...parse('\r\n')]).toEqual([
    { event: 'message', data: 'a\nb', lastEventId: '' },
  ])
})

it('never shows a message that was cut off', () => {
  expect(makeMessageParser()('id: 3\ndata: half')).toEqual([])
})

it('never throws on any text but for its length', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (chunks) => {
      const parse = makeMessageParser()
      for (const chunk of chunks) parse(chunk)
    }),
  )
})

it('refuses a message that does not end', () => {
  const parse = makeMessageParser(100)
  parse('data: '.padEnd(90, 'x'))
  expect(() => parse('x'.repeat(20))).toThrow('longer than 100')
})

it('lets a long stream of short messages pass', () => {
  const parse = makeMessageParser(100)
  for (let n = 0; n < 50; n += 1) {
    expect(parse(formatMessage({ data: String(n) }))).toHaveLength(1)
  }
})

const pieces = (text: string, step: number): string[] =>
  Array.from({ length: Math.ceil(text.length / step) }, (_, n) =>
    text.slice(n * step, (n + 1) * step),
  )
