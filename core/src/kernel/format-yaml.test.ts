import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatYaml } from './format-yaml.ts'
import { readYaml } from './read-yaml.ts'

const readBack = (text: string) => {
  const { root, problems } = readYaml(text, 1_000_000)
  expect(problems).toEqual([])
  return root.value
}

describe('formatYaml', () => {
  it('writes texts of several lines as blocks', () => {
    expect(formatYaml({ a: 'one\n\n  two\n' })).toBe('a: |\n  one\n\n    two\n')
  })

  it('quotes what looks like something else than text', () => {
    expect(formatYaml({ a: '3.10', b: 'true', c: '~', d: '' })).toBe(
      'a: "3.10"\nb: "true"\nc: "~"\nd: ""\n',
    )
  })

  it('leaves out what is undefined, and uses no anchors', () => {
    const shared = [1]
    expect(formatYaml({ a: undefined, b: shared, c: shared })).toBe('b:\n  - 1\nc:\n  - 1\n')
  })

  it('writes what reads back, whatever the texts', () => {
    const marks = fc.constantFrom(
      ...'\r\n\u0085\u2028\ufeff\t #:-"\'|>\u001b\u007f~!&*%@`[]{},?a1.',
    )
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(marks).map((parts) => parts.join('')),
    )
    const key = text.filter((one) => one !== '__proto__')
    fc.assert(
      fc.property(text, fc.dictionary(key, text), (one, more) => {
        const data = { one, list: [one, [one]], more: { ...more } }
        expect(readBack(formatYaml(data))).toEqual(data)
      }),
      { numRuns: 500 },
    )
  })
})
