import { expect, it } from 'vitest'
import { isGood } from './verify-in-release.ts'

const said = (...words: readonly string[]) => words.map((word) => `[GNUPG:] ${word} x\n`).join('')

it.each([
  ['one good signature', said('PLAINTEXT', 'NEWSIG', 'GOODSIG', 'VALIDSIG'), true],
  [
    'a good one, and one by a newer key that this keyring has not',
    said('PLAINTEXT', 'GOODSIG', 'VALIDSIG', 'NEWSIG', 'ERRSIG', 'NO_PUBKEY'),
    true,
  ],
  ['none', said('PLAINTEXT'), false],
  ['only one by an unknown key', said('PLAINTEXT', 'NEWSIG', 'ERRSIG', 'NO_PUBKEY'), false],
  ['a bad one beside a good one', said('PLAINTEXT', 'GOODSIG', 'BADSIG'), false],
  ['one by an expired key', said('PLAINTEXT', 'EXPKEYSIG', 'VALIDSIG'), false],
  ['one by a revoked key', said('PLAINTEXT', 'GOODSIG', 'REVKEYSIG'), false],
  ['two texts', said('PLAINTEXT', 'GOODSIG', 'PLAINTEXT'), false],
  ['an error after it', said('PLAINTEXT', 'GOODSIG', 'ERROR'), false],
  ['words that only look so', 'GOODSIG\n PLAINTEXT\n', false],
])('an index with %s is believed or not', (_, status, good) => {
  expect(isGood(status)).toBe(good)
})
