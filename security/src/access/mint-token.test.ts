import fc from 'fast-check'
import { expect, it } from 'vitest'
import { digestOf, mintToken, parseToken } from './mint-token.ts'

it('mints tokens of 256 bits that differ, are found by their id, and match their digest', () => {
  const minted = Array.from({ length: 200 }, () => mintToken())
  expect(new Set(minted.map(({ id }) => id)).size).toBe(200)
  for (const { id, digest, text } of minted) {
    const parts = parseToken(text.reveal())
    expect(parts?.id).toBe(id)
    expect(Buffer.from(parts?.secret ?? '', 'base64url')).toHaveLength(32)
    expect(digestOf(parts?.secret ?? '').toString('hex')).toBe(digest)
    expect(`${text} ${JSON.stringify({ text })}`).not.toContain(parts?.secret)
  }
})

it('reads nothing else as a token', () => {
  const { text } = mintToken()
  const token = text.reveal()
  fc.assert(fc.property(fc.string(), (other) => parseToken(other) === undefined))
  fc.assert(
    fc.property(fc.nat(token.length - 1), (at) => {
      expect(parseToken(token.slice(0, at) + token.slice(at + 1))).toBeUndefined()
      expect(parseToken(`${token.slice(0, at)} ${token.slice(at)}`)).toBeUndefined()
    }),
  )
  expect(parseToken(`${token}\n`)).toBeUndefined()
})
