import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readYaml } from './read-yaml.ts'
import { locate } from './source-document.ts'

const read = (text: string) => readYaml(text, 1_000_000)

describe('readYaml', () => {
  it('knows the place of every key and list item', () => {
    const document = read('a: 1\nb:\n  - x\n  - c: [y]\n')
    expect(locate(document, ['a']).place).toEqual({ line: 1, column: 1 })
    expect(locate(document, ['b', 1, 'c']).place).toEqual({ line: 4, column: 5 })
    expect(locate(document, ['b', 1, 'c', 0]).place).toEqual({ line: 4, column: 9 })
  })

  it('finds the nearest value around one that is missing', () => {
    const document = read('a:\n  b: {}\n')
    expect(locate(document, ['a', 'b', 'c', 0]).place).toEqual({ line: 2, column: 3 })
  })

  it('keeps the letters of numbers', () => {
    const document = read('a: 3.10\nb: 0x1F\n1.20: c\n')
    expect(document.root.value).toEqual({ a: 3.1, b: 31, '1.20': 'c' })
    expect(locate(document, ['a']).literal).toBe('3.10')
    expect(locate(document, ['b']).literal).toBe('0x1F')
  })

  it('takes yes, no, on and off for text, as YAML 1.2 does', () => {
    expect(read('a: yes\nb: off\nc: true\n').root.value).toEqual({ a: 'yes', b: 'off', c: true })
  })

  it('reads JSON', () => {
    expect(read('{"a": [1, "x", null, {"b": false}]}').root.value).toEqual({
      a: [1, 'x', null, { b: false }],
    })
  })

  it('follows aliases', () => {
    expect(read('a: &one [x]\nb: *one\n').root.value).toEqual({ a: ['x'], b: ['x'] })
  })

  it.each([
    ['an empty document', '', '1:1', 'demo-agents'],
    ['comments alone', '# nothing\n', '1:1', 'demo-agents'],
    ['null alone', '~', '1:1', 'demo-agents'],
    ['a second document', 'a: 1\n---\nb: 2\n', '2:1', '---'],
    ['a key given twice', 'a: 1\nb: 2\na: 3\n', '3:1', 'Keep one'],
    ['a tab for indentation', 'a:\n\tb: 1\n', '2:1', 'spaces'],
    ['a map inside a line', 'a: b: c\n', '1:4', 'lines of its own'],
    ['a quote left open', 'a: "x\n', '2:1', 'Close'],
    ['a bracket left open', 'a: [x\n', '2:1', 'Close'],
    ['a tag of another language', 'a: !!python/object x\n', '1:4', 'tag'],
    ['an alias of nothing', 'a: *b\n', '1:1', 'anchor'],
    ['an alias of itself', 'a: &a [*a]\n', '1:8', 'smaller'],
    ['a key that is a list', '? [a]\n: 1\n', '1:3', 'another'],
    ['a key that JavaScript keeps for itself', '__proto__: 1\n', '1:1', 'another'],
    ['a newer YAML', '%YAML 3.0\n---\na: 1\n', '1:7', '%'],
  ])('names the place of %s', (_, text, place, hint) => {
    const [problem] = read(text).problems
    expect(`${problem?.line}:${problem?.column}`).toBe(place)
    expect(`${problem?.message} ${problem?.remedy}`).toContain(hint)
  })

  it('refuses more characters than it was told to read', () => {
    expect(readYaml('a: xxxxx', 5).problems[0]?.message).toContain('more than 5 characters')
  })

  it.each([
    ['aliases that multiply', multiplyingAliases()],
    ['brackets without end', '['.repeat(100_000)],
    ['dashes without end', '- '.repeat(50_000)],
    ['maps inside maps', `${'{a: '.repeat(1000)}${'}'.repeat(1000)}`],
    ['a list without end', '- a\n'.repeat(240_000)],
    ['keys without end', Array.from({ length: 120_000 }, (_, n) => `${n}:\n`).join('')],
  ])('refuses %s in bounded time', (_, text) => {
    const [problem, ...more] = read(text).problems
    expect(problem?.message).toMatch(/values|levels/)
    expect(more).toEqual([])
  })

  it('never throws, whatever the text', () => {
    const marks = fc.constantFrom(
      '- ',
      ': ',
      '\n',
      '  ',
      '&a ',
      '*a',
      '!',
      '"',
      "'",
      '{',
      ']',
      '|',
      '#',
      '%',
      '? ',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fc.oneof(marks, fc.string({ maxLength: 4 }))).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const { root, problems } = read(text)
        expect(root.value !== null || problems.length > 0).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('reads what JSON.stringify writes', () => {
    const values = fc.jsonValue({ maxDepth: 4 }).filter((value) => isUsable(value))
    fc.assert(
      fc.property(values, (value) => {
        const { root, problems } = read(JSON.stringify({ value }))
        expect(problems).toEqual([])
        expect(root.value).toEqual(JSON.parse(JSON.stringify({ value })))
      }),
    )
  })
})

const isUsable = (value: unknown): boolean => {
  const text = JSON.stringify(value)
  return text.isWellFormed() && !text.includes('__proto__') && !/\\ud[89a-f]/i.test(text)
}

function multiplyingAliases(): string {
  const names = 'abcdefghijkl'
  const lines = [...names].map((name, index) => {
    const items = index === 0 ? 'x, x' : `*${names[index - 1]}, *${names[index - 1]}`
    return `${name}: &${name} [${items}, ${items}, ${items}, ${items}]`
  })
  return lines.join('\n')
}
