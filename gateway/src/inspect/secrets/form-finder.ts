import type { Form, Token } from './text-forms.ts'

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

interface Node {
  readonly edges: { readonly token: Token; readonly next: Node }[]
  /** Which text ends here. */
  text?: number
}

/** `texts[n]` lists the forms of one text; common beginnings are looked at once. */
export function makeFormFinder(texts: readonly (readonly Form[])[]): FormFinder {
  const root: Node = { edges: [] }
  texts.forEach((forms, text) => {
    for (const form of forms) {
      const end = form.reduce(follow, root)
      end.text ??= text
    }
  })
  const starts = startsOf(root)

  return {
    find(bytes, from, last) {
      const length = bytes.length
      for (let at = from; at < length; at++) {
        // Most places are passed over by this alone; near the end all of them are looked at.
        if (at + 2 < length) {
          const start = hashOf(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0)
          if (starts[start] === 0) continue
        }
        const found = matchAt(root, bytes, at)
        if (found.begun > 0 && !last) return { kind: 'begun', at, tokens: found.begun }
        if (found.end > 0) return { kind: 'whole', at, end: found.end, text: found.text }
      }
      return undefined
    },
  }
}

function follow(node: Node, token: Token): Node {
  const edge = node.edges.find((each) => each.token.key === token.key)
  if (edge !== undefined) return edge.next
  const next: Node = { edges: [] }
  node.edges.push({ token, next })
  return next
}

/** `end`, `text`: the longest whole text; `begun`: tokens of one that the bytes may be cut in. */
function matchAt(root: Node, bytes: Uint8Array, start: number) {
  const best = { end: 0, text: 0, begun: 0 }
  const open: { node: Node; at: number; tokens: number }[] = [{ node: root, at: start, tokens: 0 }]
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const { node, at, tokens } = state
    if (node.text !== undefined && at > best.end) {
      best.end = at
      best.text = node.text
    }
    if (at >= bytes.length) {
      if (node.edges.length > 0) best.begun = Math.max(best.begun, tokens, 1)
      continue
    }
    for (const { token, next } of node.edges) {
      for (const spelling of token.byFirst[bytes[at] ?? 0] ?? []) {
        const common = commonLength(spelling, bytes, at)
        if (common === spelling.length)
          open.push({ node: next, at: at + common, tokens: tokens + 1 })
        else if (at + common === bytes.length) best.begun = Math.max(best.begun, tokens, 1)
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
function startsOf(root: Node): Uint8Array {
  const starts = new Uint8Array(65536)
  const mark = (start: readonly number[]): void => {
    const [first = 0, second = 0, third] = start
    if (third !== undefined) starts[hashOf(first, second, third)] = 1
    else for (let byte = 0; byte < 256; byte++) mark([...start, byte])
  }
  const walk = (node: Node, start: readonly number[]): void => {
    if (start.length >= 3 || node.text !== undefined) mark(start.slice(0, 3))
    if (start.length >= 3) return
    for (const { token, next } of node.edges) {
      for (const spelling of token.byFirst.flat()) {
        if (spelling !== undefined) walk(next, [...start, ...spelling])
      }
    }
  }
  walk(root, [])
  return starts
}

const hashOf = (first: number, second: number, third: number): number =>
  ((first << 8) ^ (second << 4) ^ third) & 0xffff
