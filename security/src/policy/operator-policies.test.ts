import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placeOf, splitStatements } from './cedar-text.ts'
import { readOperatorPolicies } from './operator-policies.ts'

const read = (text: string) => readOperatorPolicies([{ name: 'ceiling.cedar', text }])
const problems = (text: string) =>
  read(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`)

it('names each policy after its file and position, or by its @id, with the line it begins on', () => {
  const { policies } = read(`// What nobody reaches
forbid (principal, action == Action::"network.connect", resource)
when { context.host == "evil.com" };

@id("no deletes") forbid (principal is Agent, action, resource == Host::"a;b//c");
`)
  expect(
    policies.map(({ id, source, actions }) => ({ id, source, actions: actions.length })),
  ).toEqual([
    { id: 'ceiling.cedar#1', source: 'ceiling.cedar:2', actions: 1 },
    { id: 'no deletes', source: 'ceiling.cedar:5', actions: 12 },
  ])
  expect(policies[0]?.text).toContain('context.host == "evil.com"')
})

it('needs no engine for no files', () => {
  expect(readOperatorPolicies([])).toEqual({ policies: [], problems: [], warnings: [] })
})

describe('an error', () => {
  it.each([
    ['syntax', '\nforbid (principal, action resource);', '2:27'],
    [
      'an unknown word of the context',
      'forbid (principal, action == Action::"network.connect", resource)\nwhen { context.prt == 1 };',
      '2:8',
    ],
    [
      'an unknown action',
      'forbid (principal, action == Action::"network.conect", resource);',
      '1:',
    ],
    [
      'a comparison of other types',
      'forbid (principal, action == Action::"dns.resolve", resource)\n  when { context.host == 1 };',
      '2:',
    ],
    [
      'an optional attribute that is not asked for first',
      'forbid (principal, action == Action::"network.connect", resource) when { context.http.method == "GET" };',
      '1:',
    ],
    ['text behind the last policy', 'forbid (principal, action, resource);\n\n x', '3:3 '],
    ['a template', 'forbid (principal == ?principal, action, resource);', '1:'],
    [
      "an id that is the product's",
      '@id("agent/coder/tools[0]") forbid (principal, action, resource);',
      '1:1',
    ],
  ])('tells its line and column: %s', (_what, text, place) => {
    expect(problems(text).join('\n')).toMatch(new RegExp(`^${place}`))
  })

  it('counts columns in characters, whatever bytes stand before it', () => {
    const text =
      'forbid (principal, action == Action::"dns.resolve", resource) when { "äö😀" != context.host && context.x };'
    expect(problems(text)[0]).toMatch(new RegExp(`^1:${text.indexOf('context.x') + 1} `))
  })

  it('does not hide the next one', () => {
    expect(
      problems('forbid (;\nforbid (principal, action, resource) when { context.nope };').length,
    ).toBeGreaterThan(1)
  })

  it('is an id that two policies have', () => {
    const policy = '@id("x") forbid (principal, action, resource);\n'
    expect(problems(policy + policy)).toEqual([
      '2:undefined The id x is that of ceiling.cedar:1 too. Give each its own.',
    ])
  })
})

it('takes any text whatsoever, and says what is wrong with it', () => {
  const sound = `forbid (principal, action == Action::"network.connect", resource)
when { context has http && context.http.path like "/a*" && context.port in [1, 2] };`
  const piece = fc.constantFrom('"', '(', '}', ';', '\\u{110000}', '::', '@id', '\u0000', '😀', '?')
  const broken = fc
    .tuple(fc.nat(sound.length), fc.nat(20), fc.array(piece, { maxLength: 3 }))
    .map(([at, cut, pieces]) => sound.slice(0, at) + pieces.join('') + sound.slice(at + cut))
  void fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), broken), (text) => {
      for (const { file, line, message } of read(text).problems) {
        expect([file, typeof line, typeof message]).toEqual(['ceiling.cedar', 'number', 'string'])
      }
    }),
    { numRuns: 300 },
  )
  // And Cedar is in order after all of that.
  expect(problems('forbid (principal, action, resource);')).toEqual([])
})

it('warns of a permit, since operators can only take away', () => {
  const { problems: none, warnings } = read('permit (principal, action, resource);')
  expect(none).toEqual([])
  expect(warnings[0]?.message).toContain('no effect')
})

it('warns of a policy that can never hold', () => {
  const { warnings } = read(
    'forbid (principal is User, action == Action::"dns.resolve", resource);',
  )
  expect(warnings[0]?.message).toContain('unable to find an applicable action')
})

describe('cutting a file', () => {
  const statement = fc
    .array(fc.constantFrom('a', '"x;y"', '"\\""', ' ', '(', '\n'), { minLength: 1, maxLength: 8 })
    .map((parts) => `p${parts.join('')};`)
  const between = fc.constantFrom('', '\n', ' // c;"\n', '// "\r\n')

  it('finds each statement where it is, whatever stands in strings and comments', () => {
    void fc.assert(
      fc.property(fc.array(fc.tuple(between, statement), { maxLength: 8 }), (parts) => {
        const text = parts.flat().join('')
        const found = splitStatements(text)
        expect(found.map((one) => one.text)).toEqual(parts.map(([, one]) => one))
        for (const one of found) expect(text.slice(one.start).startsWith(one.text)).toBe(true)
      }),
    )
  })

  it('loses nothing but comments and white space', () => {
    void fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ';', '"', '\\', '/', '\n', ' ') }),
        (text) => {
          const kept = splitStatements(text)
          let at = 0
          for (const { start, text: one } of kept) {
            expect(text.slice(at, start)).toMatch(/^(\s|\/\/[^\n\r]*|;)*$/)
            at = start + one.length
          }
          expect(text.slice(at)).toMatch(/^(\s|\/\/[^\n\r]*|;)*$/)
        },
      ),
    )
  })

  it('counts lines and columns from 1', () => {
    expect(placeOf('a\r\nbc\nd', 0)).toEqual({ line: 1, column: 1 })
    expect(placeOf('a\r\nbc\nd', 4)).toEqual({ line: 2, column: 2 })
    expect(placeOf('a\r\nbc\nd', 6)).toEqual({ line: 3, column: 1 })
  })
})
