import { expect, it } from 'vitest'
import { makeLogLines } from '../testing/open-test-gateway.ts'
import { parseRules } from './parse-rules.ts'

const rulesOf = (text: string, logger = makeLogLines()) =>
  parseRules(text, { path: 'rules.yaml', logger })

const first = (text: string, input: string, model = 'm') => rulesOf(text)[0]?.match(input, model)

it('fills the groups of the match into the reply', () => {
  const rules = `
- match: 'add (\\d+) and (?<second>\\d+)'
  reply: '$1 + $<second> costs $$5, said "$&"'
`
  expect(first(rules, 'Please ADD 2 and 40!')).toMatchObject({
    text: '2 + 40 costs $5, said "ADD 2 and 40"',
  })
})

it('reads JSON, and a list below rules', () => {
  expect(first('{"rules":[{"match":"x","reply":"y"}]}', 'x')).toMatchObject({ text: 'y' })
})

it('gives tool calls, errors and a pace', () => {
  const [calls, error] = rulesOf(`
- match: weather
  tool_calls: [{ name: get_weather, arguments: { city: Oslo } }]
  delay_ms: 20
- match: limit
  error: { status: 429, message: slow down, retry_after: 2 }
`)
  expect(calls?.match('the weather', 'm')).toMatchObject({
    type: 'tool-calls',
    calls: [{ name: 'get_weather', arguments: { city: 'Oslo' } }],
    pace: { delayMs: 20 },
  })
  expect(error?.match('limit', 'm')).toMatchObject({ status: 429, retryAfterMs: 2000 })
})

it('applies a rule with a model to that model only', () => {
  const rules = '[{ match: ".", model: fast, reply: quick }]'
  expect(first(rules, 'x', 'slow')).toBeUndefined()
  expect(first(rules, 'x', 'fast')).toMatchObject({ text: 'quick' })
})

it('gives up a rule whose pattern would take forever, and says so', () => {
  const logger = makeLogLines()
  const [rule] = rulesOf('[{ match: "^(a+)+$", reply: never }]', logger)
  expect(rule?.match(`${'a'.repeat(60)}!`, 'm')).toBeUndefined()
  expect(logger.lines).toEqual([expect.stringContaining('"rule":0')])
})

it.each([
  ['[{ match: "(", reply: x }]', 'rules.yaml: rules[0].match'],
  ['[{ match: x }]', 'needs one of reply, tool_calls and error'],
  ['[{ match: x, reply: a, error: { status: 500 } }]', 'needs one of'],
  ['[{ match: x, replay: a }]', 'replay'],
  ['[{ match: x, error: { status: 200 } }]', '0.error.status'],
  ['rules: {}', 'rules'],
  ['a: [', 'rules.yaml'],
  ['', 'rules.yaml'],
  ['[]', 'rules.yaml'],
])('refuses %j, naming the place', (text, where) => {
  expect(() => rulesOf(text)).toThrow(where)
})
