import { InvalidArgumentError } from 'commander'

/** A whole number of at least one. @throws InvalidArgumentError */
export function parseCount(text: string): number {
  return wholeNumber(text, 1, 1_000_000)
}

/** What `task list` may show at once. @throws InvalidArgumentError */
export function parseLimit(text: string): number {
  return wholeNumber(text, 1, 1000)
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
