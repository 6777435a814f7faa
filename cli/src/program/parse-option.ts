import { InvalidArgumentError } from 'commander'

/** A whole number of at least one. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  return wholeNumber(text, 1, 1_000_000)
}

/** What `task list` may show at once. @throws InvalidArgumentError */
export function parseLimit(text: string): number {
  return wholeNumber(text, 1, 1000)
}

/** The index of an entry, or the size of a log. @throws InvalidArgumentError */
export function parseIndex(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number from 0 on: the index of an entry.')
}

/** A priority: higher runs first. @throws InvalidArgumentError */
export function parsePriority(text: string): number {
  return wholeNumber(text, -100, 100)
}

/** Whole seconds, with or without the `s`. @throws InvalidArgumentError */
export function parseSeconds(text: string): number {
  return wholeNumber(text.replace(/s$/, ''), 0, 86_400)
}

/** Seconds between two looks, also parts of one. @throws InvalidArgumentError */
export function parseInterval(text: string): number {
  const seconds = /^\d{1,4}(\.\d{1,3})?s?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    throw new InvalidArgumentError('It is a number of seconds from 0.1 to 3600.')
  }
  return seconds
}

/** Of an option that may be given many times: also `a,b` in one. @throws InvalidArgumentError */
export function parseList(text: string, before: readonly string[] = []): readonly string[] {
  const words = text.split(',').map((word) => word.trim())
  if (words.includes('')) throw new InvalidArgumentError('It is empty.')
  return [...before, ...words]
}

/** The same for an option that knows its words. */
export function parseWords(words: readonly string[]): typeof parseList {
  return (text, before) => {
    const unknown = parseList(text).find((word) => !words.includes(word))
    if (unknown !== undefined) {
      throw new InvalidArgumentError(`Allowed choices are ${words.join(', ')}.`)
    }
    return parseList(text, before)
  }
}

/** `12h`, `30d` in milliseconds, or `never`: commander takes null for no value. @throws InvalidArgumentError */
export function parseLifetime(text: string): number | 'never' {
  if (text === 'never') return text
  const [, digits, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = Number(digits) * (lifetimeUnits[unit] ?? Number.NaN)
  if (ms >= 1000 && ms <= maxLifetimeMs) return ms
  throw new InvalidArgumentError('It is a number with s, m, h or d, at most 3650d, or never.')
}

const lifetimeUnits: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const maxLifetimeMs = 3650 * 86_400_000

/** A token to show. An empty one must not mean the owner's. @throws InvalidArgumentError */
export function parseToken(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw new InvalidArgumentError('It is empty, or holds what no token does.')
}

function wholeNumber(text: string, least: number, most: number): number {
  const number = /^[+-]?\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(number >= least && number <= most)) {
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`)
  }
  return number
}

/** Adds one `name: value` to the headers that were given before. @throws InvalidArgumentError */
export function collectHeader(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [, name, value] = /^([\w-]{1,80}):\s*(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('Write it like accept:text/html.')
  }
  return { ...before, [name.toLowerCase()]: value }
}
