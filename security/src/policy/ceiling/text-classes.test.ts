import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Grammar, hostGrammar } from './grammar.ts'
import { textClasses } from './text-classes.ts'
import { matches, starPattern } from './text-pattern.ts'

/** Any text over two letters. */
const letters: Grammar = { start: 0, step: () => 0, accepts: () => true, groups: ['ab'] }

const pattern = fc
  .array(fc.constantFrom('a', 'b', '*'), { maxLength: 5 })
  .map((parts) => parts.join(''))

const toRegExp = (text: string) => new RegExp(`^${text.replaceAll('*', '.*')}$`)

function allTexts(most: number): readonly string[] {
  const texts = ['']
  for (const text of texts) if (text.length < most) texts.push(`${text}a`, `${text}b`)
  return texts
}

it('matches a text where a star stands for any text', () => {
  void fc.assert(
    fc.property(
      pattern,
      fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 }),
      (star, text) => {
        expect(matches(starPattern(star), text)).toBe(toRegExp(star).test(text))
      },
    ),
    { numRuns: 1000 },
  )
})

it('finds a text of each kind there is, and the shortest of it', () => {
  const texts = allTexts(7)
  void fc.assert(
    fc.property(pattern, fc.array(pattern, { maxLength: 3 }), (within, patterns) => {
      const kindOf = (text: string) => patterns.map((one) => toRegExp(one).test(text)).join()
      const expected = new Map<string, number>()
      for (const text of texts) {
        if (!toRegExp(within).test(text) || expected.has(kindOf(text))) continue
        expected.set(kindOf(text), text.length)
      }
      const found =
        textClasses(letters, starPattern(within), patterns.map(starPattern), { steps: 1e6 }) ?? []
      const kinds = new Map(found.map((text) => [kindOf(text), text.length]))
      expect(found.every((text) => toRegExp(within).test(text))).toBe(true)
      expect(kinds.size).toBe(found.length)
      for (const [kind, length] of expected) expect(kinds.get(kind)).toBe(length)
    }),
    { numRuns: 300 },
  )
})

describe('names of hosts', () => {
  const classes = (within: string, ...patterns: readonly string[]) =>
    textClasses(hostGrammar, starPattern(within), patterns.map(starPattern), { steps: 5e6 })

  it('are found below a suffix, with the part that a pattern asks for', () => {
    expect(classes('*.example.com', '*.internal.example.com')).toEqual([
      'a.example.com',
      'a.internal.example.com',
    ])
  })

  it('are none that the grammar does not have', () => {
    expect(classes('*.example.com', '*..*', '-*', '*A*', '* *')).toEqual(['a.example.com'])
    expect(classes('*', '*.1', '*.0x*')).toEqual(['a', 'a.0xg'])
  })

  it('tell many suffixes apart', () => {
    const suffixes = Array.from({ length: 60 }, (_, index) => `*.team${index}.example.com`)
    expect(classes('*.example.com', ...suffixes)).toHaveLength(61)
  })

  it('are given up where patterns overlap in too many ways', () => {
    const anywhere = Array.from({ length: 16 }, (_, index) => `*${index}${index}x*`)
    expect(classes('*.example.com', ...anywhere)).toBeUndefined()
  })
})
