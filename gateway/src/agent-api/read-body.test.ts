import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseJson, readBody } from './read-body.ts'

const incoming = (headers = {}): PassThrough & IncomingMessage =>
  Object.assign(new PassThrough(), { headers }) as PassThrough & IncomingMessage

const bounds = { maxBytes: 20, maxDepth: 3, timeoutMs: 1000 }

it('reads JSON however it is chunked', async () => {
  const body = incoming()
  const read = readBody(body, bounds)
  for (const byte of Buffer.from('{"a":["ü"]}')) body.write(Buffer.of(byte))
  body.end()
  expect(await read).toEqual({ a: ['ü'] })
})

it('refuses a body that is or says it is too large', async () => {
  const growing = incoming()
  const read = readBody(growing, bounds)
  growing.write('x'.repeat(21))
  await expect(read).rejects.toMatchObject({ code: 'request.too-large' })
  await expect(readBody(incoming({ 'content-length': '21' }), bounds)).rejects.toMatchObject({
    code: 'request.too-large',
  })
})

it('refuses a body that does not end in time', async () => {
  const slow = readBody(incoming(), { ...bounds, timeoutMs: 5 })
  await expect(slow).rejects.toMatchObject({ code: 'request.too-slow', details: { status: 408 } })
})

it('ends when the agent hangs up', async () => {
  const body = incoming()
  const read = readBody(body, bounds)
  body.destroy()
  await expect(read).rejects.toMatchObject({ kind: 'cancelled' })
})

it.each(['', '{', '{"a":}', '[[[[1]]]]', '\ufeff[', 'nul'])('refuses %j as no JSON', (text) => {
  expect(() => parseJson(Buffer.from(text), 3)).toThrow(/not JSON/)
})

it('refuses what is not UTF-8', () => {
  expect(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), 3)).toThrow(/not JSON/)
})

it('reads all JSON that is not too deep, brackets in strings included', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 2 }), (json) => {
      expect(parseJson(Buffer.from(json), 4)).toEqual(JSON.parse(json))
    }),
  )
  expect(parseJson(Buffer.from('"[[[[[\\"[[[["'), 1)).toBe('[[[[["[[[[')
})
