import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fromBase64, toBase64 } from './base64.ts'

it('writes what everybody writes, and reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = toBase64(bytes)
      expect(text).toBe(Buffer.from(bytes).toString('base64'))
      expect(fromBase64(text)).toEqual(bytes)
    }),
  )
})

it.each([
  'QQ',
  'QQ=',
  'QR==',
  'QUJ=',
  'Q Q=',
  'QQ==\n',
  '====',
  'QQ=Q',
  'QUI-',
  '\u00e9AA=',
])('does not read %j: each value has one spelling', (text) => {
  expect(fromBase64(text)).toBeUndefined()
})

it('reads nothing that it would not write', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const bytes = fromBase64(text)
      if (bytes !== undefined) expect(toBase64(bytes)).toBe(text)
    }),
  )
})
