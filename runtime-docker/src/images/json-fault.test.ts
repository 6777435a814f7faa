import fc from 'fast-check'
import { expect, it } from 'vitest'
import { lineOfJsonFault } from './json-fault.ts'

it.each([
  ['{\n"a": x\n}', 2],
  ['{\n"a": "b" c\n}\n', 2],
  ['{\n"a": "b\n}', 2],
  ['{\n"a": 1,\n}\n', 3],
  ['{\n"a":\n', 3],
  ['{}\n{}', 2],
  ['x', 1],
])('finds the line in %j', (text, line) => {
  expect(lineOfJsonFault(text)).toBe(line)
})

it('finds whatever does not belong into a document', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, place) => {
      const lines = JSON.stringify(JSON.parse(json), undefined, 1).split('\n')
      const line = place % lines.length
      lines.splice(line, 0, '#')
      expect(lineOfJsonFault(lines.join('\n'))).toBe(line + 1)
    }),
  )
})
