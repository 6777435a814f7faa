import { type AddressRange, rangeOf } from './address-range.ts'
import type { Condition } from './condition.ts'
import { type TextPattern, wordPattern } from './text-pattern.ts'

/** All that a condition compares requests with. */
export interface Atoms {
  /** By the part of the request. */
  readonly texts: ReadonlyMap<string, readonly TextPattern[]>
  readonly numbers: ReadonlyMap<string, readonly number[]>
  readonly ranges: readonly AddressRange[]
  /** Whether anything inside a request of HTTP counts. */
  readonly http: boolean
}

/** `subject`: the part of the request that its resource is named by. */
export function atomsOf(conditions: readonly Condition[], subject: string): Atoms {
  const texts = new Map<string, TextPattern[]>()
  const numbers = new Map<string, number[]>()
  const ranges: AddressRange[] = []
  const found = { http: false }

  const addText = (part: string, pattern: TextPattern): void => {
    const known = texts.get(part)
    if (known === undefined) texts.set(part, [pattern])
    else known.push(pattern)
    if (part.startsWith('http') || part.startsWith('header ')) found.http = true
  }
  const addWord = (part: string, text: string): void => {
    addText(part, wordPattern(text))
    const address = part === subject ? rangeOf(text) : undefined
    if (address !== undefined) ranges.push(address)
  }

  const collect = (condition: Condition): void => {
    switch (condition.kind) {
      case 'truth':
      case 'constant':
      case 'has-type':
        return
      case 'and':
      case 'or':
        collect(condition.left)
        collect(condition.right)
        return
      case 'not':
        collect(condition.of)
        return
      case 'if':
        collect(condition.test)
        collect(condition.yes)
        collect(condition.no)
        return
      case 'is-text':
        addWord(condition.part, condition.text)
        return
      case 'is-resource':
        addWord(subject, condition.id)
        return
      case 'is-like':
        addText(condition.part, condition.pattern)
        return
      case 'compares':
        numbers.set(condition.part, [...(numbers.get(condition.part) ?? []), condition.number])
        return
      case 'in-range':
        ranges.push(...condition.ranges)
        return
      case 'has':
        // Any value will do, as long as it is there.
        addText(condition.part, [undefined])
    }
  }
  for (const condition of conditions) collect(condition)
  return { texts, numbers, ranges, http: found.http }
}
