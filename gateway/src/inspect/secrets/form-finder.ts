import { type FormTrie, makeFormTrie, type Place } from './form-trie.ts'
import type { Form } from './text-forms.ts'

/** Finds texts in bytes, in whatever form they are written. */
export interface FormFinder {
  /**
   * The first and then the longest text at or after `from`. Where the bytes end before it can be
   * told, that is the answer, unless they are the `last`: so whatever is found does not depend on
   * how the bytes were cut.
   */
  find(bytes: Uint8Array, from: number, last: boolean): Found | undefined
}

export type Found =
  | { readonly kind: 'whole'; readonly at: number; readonly end: number; readonly text: number }
  /** `tokens`: how many characters of it are there. */
  | { readonly kind: 'begun'; readonly at: number; readonly tokens: number }

/** `texts[n]` lists the forms of one text. */
export function makeFormFinder(texts: readonly (readonly Form[])[]): FormFinder {
  const trie = makeFormTrie(texts)
  const starts = startsOf(trie)

  return {
    find(bytes, from, last) {
      const length = bytes.length
      for (let at = from; at < length; at++) {
        // Most places are passed over by this alone; near the end all of them are looked at.
        if (at + 2 < length) {
          const start = hashOf(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0)
          if (starts[start] === 0) continue
        }
        const found = matchAt(trie, bytes, at)
        if (found.begun > 0 && !last) return { kind: 'begun', at, tokens: found.begun }
        if (found.end > 0) return { kind: 'whole', at, end: found.end, text: found.text }
      }
      return undefined
    },
  }
}

/** `end`, `text`: the longest whole text; `begun`: tokens of one that the bytes may be cut in. */
function matchAt(trie: FormTrie, bytes: Uint8Array, start: number) {
  const best = { end: 0, text: 0, begun: 0 }
  const open: { place: Place; at: number; tokens: number }[] = [
    { place: trie.start, at: start, tokens: 0 },
  ]
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const { place, at, tokens } = state
    const text = trie.textAt(place)
    if (text !== undefined && at > best.end) {
      best.end = at
      best.text = text
    }
    const steps = trie.stepsFrom(place)
    if (at >= bytes.length) {
      if (steps.length > 0) best.begun = Math.max(best.begun, tokens, 1)
      continue
    }
    for (const { token, next } of steps) {
      for (const spelling of token.byFirst.get(bytes[at] ?? 0) ?? []) {
        const common = commonLength(spelling, bytes, at)
        if (common === spelling.length) {
          open.push({ place: next, at: at + common, tokens: tokens + 1 })
        } else if (at + common === bytes.length) best.begun = Math.max(best.begun, tokens, 1)
      }
    }
  }
  return best
}

function commonLength(spelling: Uint8Array, bytes: Uint8Array, at: number): number {
  let length = 1
  while (length < spelling.length && spelling[length] === bytes[at + length]) length++
  return length
}

/** Marks what may be the first three bytes of a text, by their hash. */
function startsOf(trie: FormTrie): Uint8Array {
  const starts = new Uint8Array(65536)
  const mark = (start: readonly number[]): void => {
    const [first = 0, second = 0, third] = start
    if (third !== undefined) starts[hashOf(first, second, third)] = 1
    else for (let byte = 0; byte < 256; byte++) mark([...start, byte])
  }
  const walk = (place: Place, start: readonly number[]): void => {
    if (start.length >= 3 || trie.textAt(place) !== undefined) mark(start.slice(0, 3))
    if (start.length >= 3) return
    for (const { token, next } of trie.stepsFrom(place)) {
      for (const spelling of [...token.byFirst.values()].flat()) {
        walk(next, [...start, ...spelling])
      }
    }
  }
  walk(trie.start, [])
  return starts
}

const hashOf = (first: number, second: number, third: number): number =>
  ((first << 8) ^ (second << 4) ^ third) & 0xffff
