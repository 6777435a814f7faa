import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPage, root, tableRows } from './documents.ts'

const page = readPage('docs/reference/limits.md')

const rows = tableRows(page).map(([limit = '', value = '', where = '']) => {
  const [, file = '', code = ''] = /^`([^`]+)`: `([^`]+)`$/.exec(where) ?? []
  return { limit, value, file, code }
})

const isName = (code: string): boolean => /^\w+$/.test(code)
const sourceOf = (file: string): string => readFileSync(join(root, file), 'utf8')

describe('the page of limits', () => {
  it.each(rows.filter(({ code }) => isName(code)))('tells the truth about: $limit', (row) => {
    expect(valueIn(sourceOf(row.file), row.code)).toBe(numberIn(row.value))
  })

  it.each(rows.filter(({ code }) => !isName(code)))('quotes the code for: $limit', (row) => {
    expect(row.code).not.toBe('')
    expect(sourceOf(row.file).includes(row.code)).toBe(true)
  })

  it.each([
    'api/src/limits.ts',
    'gateway/src/limits.ts',
    'sandbox/src/wire/limits.ts',
  ])('leaves out nothing of %s', (file) => {
    const listed = rows.filter((row) => row.file === file).map(({ code }) => code)
    const names = [...sourceOf(file).matchAll(/^(?:export const| ) (\w+)(?: =|:) [^{]/gm)]
      .map(([, name = '']) => name)
      .filter((name) => !noLimits.includes(name))
    expect(names.length).toBeGreaterThan(9)
    expect(names.filter((name) => !listed.includes(name))).toEqual([])
  })
})

/** What stands beside the limits of the wire: its form, and what follows from them. */
const noLimits = [
  'PROTOCOL_VERSION',
  'HELLO_MAGIC',
  'HEADER_BYTES',
  'PAYLOAD_MAX_BYTES',
  'GUEST_CHANNEL_BIT',
]

const units: Readonly<Record<string, number>> = {
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  TiB: 2 ** 40,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  s: 1000,
  min: 60_000,
}

/** `2 MiB` in bytes, `10 s` in milliseconds, `1,000` as it is. */
function numberIn(text: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (\w+))?/.exec(text) ?? []
  return Number(digits.replaceAll(',', '')) * (units[unit] ?? 1)
}

/** What a constant, or a property of an object of limits, is set to. */
function valueIn(source: string, name: string): number {
  const [, expression = 'absent'] =
    new RegExp(`^\\s*(?:export )?(?:const |enum \\{ )?${name}(?: = |: )([^,;\\n}]+)`, 'm').exec(
      source,
    ) ?? []
  const factors = expression.trim().split(/(?<!\*)\*(?!\*)/)
  return factors.map(factorOf).reduce((product, factor) => product * factor, 1)
}

function factorOf(text: string): number {
  const [base = '', exponent] = text.split('**')
  const [left = '', shift] = base.split('<<')
  const number = Number(left.replaceAll('_', ''))
  if (shift !== undefined) return number * 2 ** Number(shift)
  return exponent === undefined ? number : number ** Number(exponent)
}
