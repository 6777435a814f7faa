import type * as z from 'zod'
import { type Finding, formatPath, type InputPath, quote } from './input-error.ts'
import { nearestWord } from './nearest-word.ts'
import type { Json } from './source-document.ts'

/** A finding about the value itself or, with `key`, about one key of it. */
export interface IssueFinding extends Finding {
  readonly key?: string | undefined
}

/** What a schema's issue means to somebody who wrote the document, in their words. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  path: InputPath,
  found: Json | undefined,
): readonly IssueFinding[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ key, ...unknownKey(key, issue.message.split(' '), path) }))
  }
  return [findingOf(issue, path, found)]
}

function findingOf(issue: z.core.$ZodIssue, path: InputPath, found: Json | undefined): Finding {
  switch (issue.code) {
    case 'custom': {
      const remedy: unknown = issue.params?.remedy
      return { message: issue.message, remedy: typeof remedy === 'string' ? remedy : '' }
    }
    case 'invalid_type':
      return found === undefined
        ? missing(path, kindNames.get(issue.expected))
        : wrongKind(found, kindNames.get(issue.expected) ?? issue.expected)
    case 'invalid_value':
      return found === undefined ? missing(path) : unknownWord(found, issue.values.map(String))
    case 'invalid_union': {
      const options = 'options' in issue ? (issue.options ?? []).map(String) : []
      return found === undefined ? missing(path) : unknownWord(found, options)
    }
    case 'too_small':
      return outOfBounds(issue.origin, found, 'least', Number(issue.minimum))
    case 'too_big':
      return outOfBounds(issue.origin, found, 'most', Number(issue.maximum))
    case 'invalid_key':
      return keyFinding(issue.issues[0], path)
    case 'invalid_format':
      return { message: `${shown(found)} is not written as it must be.`, remedy: issue.message }
    default:
      return { message: `${shown(found)} does not fit here.`, remedy: 'See the reference page.' }
  }
}

const kindNames: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['object', 'a map (key: value)'],
  ['record', 'a map (key: value)'],
  ['array', 'a list'],
  ['tuple', 'a list'],
])

function missing(path: InputPath, kind?: string): Finding {
  const last = path.at(-1)
  if (last === undefined)
    return { message: 'There is nothing.', remedy: 'Give a map (key: value).' }
  if (typeof last === 'number') {
    return { message: 'The list is too short.', remedy: `Give at least ${last + 1}.` }
  }
  const where = path.length === 1 ? 'at the top' : `below ${formatPath(path.slice(0, -1))}`
  const what = kind === undefined ? '' : ` (${kind})`
  return { message: 'It is missing.', remedy: `Add ${last}:${what} ${where}.` }
}

function wrongKind(found: Json, kind: string): Finding {
  const message = `It must be ${kind}, not ${kindOf(found)}.`
  if (kind === 'text' && typeof found !== 'object') {
    return { message, remedy: `Put it in quotes: "${found}".` }
  }
  if (kind === 'a list' && typeof found === 'string') {
    return { message, remedy: `Write it as a list: [${quote(found)}].` }
  }
  if (kind === 'true or false') return { message, remedy: 'Write true or false, without quotes.' }
  if (kind.endsWith('number')) return { message, remedy: numberRemedy(found, kind) }
  return { message, remedy: `Give ${kind}.` }
}

function numberRemedy(found: Json, kind: string): string {
  const digits = typeof found === 'string' ? /^\d+(\.\d+)?$/.exec(found.trim())?.[0] : undefined
  return digits === undefined ? `Write ${kind}, without a unit.` : `Write ${digits} without quotes.`
}

function kindOf(found: Json): string {
  if (found === null) return 'empty'
  if (Array.isArray(found)) return 'a list'
  if (typeof found === 'object') return 'a map'
  return typeof found === 'string' ? `the text ${quote(found)}` : String(found)
}

function unknownWord(found: Json, known: readonly string[]): Finding {
  const nearest = typeof found === 'string' ? nearestWord(found, known) : undefined
  const meant = nearest === undefined ? '' : ` (did you mean ${nearest}?)`
  const use = known.length === 1 ? `Use ${known[0]}` : `Use one of ${known.join(', ')}`
  return { message: `${shown(found)} is not known.`, remedy: `${use}${meant}.` }
}

function unknownKey(key: string, known: readonly string[], path: InputPath): Finding {
  const nearest = nearestWord(key, known)
  const where = path.length === 0 ? '' : ` of ${formatPath(path)}`
  const remedy =
    nearest === undefined
      ? `Remove it. Known keys${where}: ${known.join(', ')}.`
      : `Did you mean ${nearest}? Known keys${where}: ${known.join(', ')}.`
  return { message: 'This key is not known.', remedy }
}

function outOfBounds(
  origin: string,
  found: Json | undefined,
  bound: 'least' | 'most',
  limit: number,
): Finding {
  if (origin === 'string' && bound === 'least' && limit === 1) {
    return { message: 'It is empty.', remedy: 'Write something, or remove the key.' }
  }
  const use = `Use at ${bound} ${limit}`
  if (Array.isArray(found)) {
    return { message: `It has ${counted(found.length, 'entry', 'entries')}.`, remedy: `${use}.` }
  }
  if (typeof found === 'string') {
    const message = `It has ${counted(found.length, 'character', 'characters')}.`
    return { message, remedy: `${use}.` }
  }
  const message = `${found} is too ${bound === 'least' ? 'small' : 'large'}.`
  return { message, remedy: `${use}.` }
}

const counted = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`

function keyFinding(issue: z.core.$ZodIssue | undefined, path: InputPath): Finding {
  if (issue === undefined)
    return { message: 'This key does not fit here.', remedy: 'Choose another.' }
  return findingOf(issue, path, String(path.at(-1)))
}

const shown = (found: Json | undefined): string =>
  typeof found === 'string' ? quote(found) : found === undefined ? 'It' : kindOf(found)
