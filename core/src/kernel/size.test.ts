import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AegisError } from './aegis-error.ts'
import { formatSize, parseSize } from './size.ts'

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    [512, 512],
    ['1Ki', 1024],
    ['512Mi', 536_870_912],
    ['1Gi', 1_073_741_824],
    ['2Ti', 2_199_023_255_552],
    ['1K', 1000],
    ['2G', 2_000_000_000],
    ['512MB', 512_000_000],
    ['1TB', 1_000_000_000_000],
    ['  64Mi\n', 67_108_864],
  ])('reads %j', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each([
    '',
    'Mi',
    '1.5Gi',
    '-1',
    '+1',
    '1 Gi',
    '1gi',
    '1mb',
    '1GiGi',
    '1B',
    '1Pi',
    '0x10',
    '1e9',
    '9007199254740993',
    '99999999Ti',
    'unlimited',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1.5,
    -1,
  ])('refuses %j rather than mean no limit', (text) => {
    expect(() => parseSize(text)).toThrow(AegisError)
  })

  it('reads back every size that formatSize writes', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes)
      }),
    )
  })

  it('gives a safe whole number or an AegisError, whatever the text', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,20}[KMGTiB]{0,3}$/))
    fc.assert(
      fc.property(texts, (text) => {
        try {
          expect(Number.isSafeInteger(parseSize(text))).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ kind: 'invalid', code: 'size.invalid' })
        }
      }),
    )
  })
})

describe('formatSize', () => {
  it.each([
    [0, '0'],
    [1023, '1023'],
    [1024, '1Ki'],
    [1536 * 2 ** 20, '1536Mi'],
    [2 ** 40, '1Ti'],
  ])('writes %d as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })
})
