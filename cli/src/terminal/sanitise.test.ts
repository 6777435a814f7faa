import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sanitise, sanitiseLine, stringifySafely } from './sanitise.ts'

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\x1b', '\x1b[2J', '\x1b]0;owned\x07', '\x9b', '\r', '\r\n', '\x7f', '\b'),
    fc.constantFrom('\u202e', '\u2066', '\u2069', '\u200b', '\u2028', '\ufeff', '\ud800', '\n'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }),
  ),
})

describe('sanitise', () => {
  it('lets nothing through that a terminal could act on', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(sanitise(text)).not.toMatch(
          /(?![\t\n])[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029\u200b\ufeff\u{e0001}]/u,
        )
      }),
    )
  })

  it('leaves ordinary text of every script as it is', () => {
    for (const text of ['plain', 'a\tb\nc', 'Grüße, 世界', 'שלום', 'می‌خواهم', '👩🏽‍💻', '']) {
      expect(sanitise(text)).toBe(text)
    }
  })

  it('changes nothing when it is applied twice', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(sanitise(sanitise(text))).toBe(sanitise(text))
      }),
    )
  })

  it('shows what it took out', () => {
    expect(sanitise('\x1b[31mred\x9b0m \u202eabc \u{e0041}\r')).toBe(
      '\\x1b[31mred\\x9b0m \\u202eabc \\u{e0041}\\x0d',
    )
  })

  it('keeps one line one line', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(sanitiseLine(text)).not.toMatch(/[\n\r\t]/)
      }),
    )
  })
})

describe('stringifySafely', () => {
  it('reads back as the same value, and shows nothing that a terminal could act on', () => {
    fc.assert(
      fc.property(fc.jsonValue(), hostile, (value, text) => {
        const json = stringifySafely({ value, text }, 2)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ value, text })))
        expect(json).not.toMatch(
          /(?!\n)[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029\u200b\ufeff\u{e0001}]/u,
        )
      }),
    )
  })
})
