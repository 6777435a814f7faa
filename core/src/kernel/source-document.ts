import {
  type Finding,
  formatPath,
  type InputPath,
  type Place,
  type Problem,
} from './input-error.ts'

/** Plain data, as JSON knows it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A value, and what is known of the text it came from. */
export interface LocatedValue {
  readonly value: Json
  /** Where its key, or its place in a list, begins. */
  readonly place?: Place | undefined
  /** The letters of a number as they were written: `3.10`. */
  readonly literal?: string | undefined
  readonly children?: ReadonlyMap<string | number, LocatedValue> | undefined
}

/** A document that was read, before anything is known of what it should hold. */
export interface SourceDocument {
  readonly root: LocatedValue
  readonly problems: readonly Problem[]
}

/** Bounds of every document, so that a hostile one costs no more than a moment. */
export const maxDepth = 64
export const maxValues = 100_000

/** The value at `path`, or the nearest one around it that is there. */
export function locate(document: SourceDocument, path: InputPath): LocatedValue {
  let current = document.root
  for (const part of path) {
    const child = current.children?.get(part)
    if (child === undefined) break
    current = child
  }
  return current
}

/** A finding at the place of the value it is about. */
export function problemAt(document: SourceDocument, path: InputPath, finding: Finding): Problem {
  const { place } = locate(document, path)
  return { path: formatPath(path), line: place?.line, column: place?.column, ...finding }
}

/**
 * A document from a value that is already there, such as the body of a request. Copies it, so that
 * the caller's value stays as it is; what JSON does not know becomes a problem.
 */
export function readValue(value: unknown): SourceDocument {
  const problems: Problem[] = []
  let left = maxValues

  function copy(inner: unknown, path: InputPath): Json {
    if (--left < 0 || path.length > maxDepth) return refuse(path, tooLarge)
    if (inner === null || typeof inner === 'boolean') return inner
    if (typeof inner === 'number') return Number.isFinite(inner) ? inner : refuse(path, notData)
    if (typeof inner === 'string') return inner.isWellFormed() ? inner : refuse(path, notText)
    if (Array.isArray(inner))
      return Array.from(inner, (item, index) => copy(item, [...path, index]))
    if (!isPlainObject(inner)) return refuse(path, notData)
    const result: { [key: string]: Json } = {}
    for (const key of Object.keys(inner)) {
      if (isUsableKey(key)) result[key] = copy(inner[key], [...path, key])
      else refuse([...path, key], badKey)
    }
    return result
  }

  function refuse(path: InputPath, finding: Finding): null {
    if (finding !== tooLarge) problems.push({ path: formatPath(path), ...finding })
    else if (!problems.some(({ message }) => message === tooLarge.message)) {
      problems.push({ path: '', ...finding })
    }
    return null
  }

  return { root: { value: copy(value, []) }, problems }
}

export const tooLarge: Finding = {
  message: `There are more than ${maxValues} values, or more than ${maxDepth} levels.`,
  remedy: 'Make the document smaller.',
}

export const notText: Finding = {
  message: 'This text is not valid Unicode (it holds half of a surrogate pair).',
  remedy: 'Write it again, or encode it as base64.',
}

const notData: Finding = {
  message: 'This is not plain data.',
  remedy: 'Use text, finite numbers, true or false, lists and maps.',
}

export const badKey: Finding = {
  message: 'This key cannot be used.',
  remedy: 'Choose another.',
}

/** `__proto__` means something else to JavaScript than a key. */
export const isUsableKey = (key: string): boolean => key !== '__proto__' && key.isWellFormed()

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
