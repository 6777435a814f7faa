import type { Grammar } from './grammar.ts'
import { makeMatcher, mayOverlap, type TextPattern } from './text-pattern.ts'

/** What is left of the work that one check may take. */
export interface Effort {
  /** Steps of one pattern over one character. */
  steps: number
}

/**
 * One shortest text of each kind there is: kinds are told apart by which of `patterns` they match.
 * Only texts of the grammar that match `within` count. Undefined when there is too much to search.
 */
export function textClasses(
  grammar: Grammar,
  within: TextPattern,
  patterns: readonly TextPattern[],
  effort: Effort,
): readonly string[] | undefined {
  const all = [within, ...patterns.filter((pattern) => mayOverlap(within, pattern))]
  const alphabet = alphabetOf(grammar, all)
  const matchers = all.map(makeMatcher)
  const [inside] = matchers
  if (inside === undefined) return []
  const found = new Map<string, string>()
  const first: Node = {
    grammar: grammar.start,
    states: matchers.map(({ start }) => start),
    text: '',
  }
  const seen = new Set([keyOf(first)])
  const queue = [first]
  for (const node of queue) {
    if (grammar.accepts(node.grammar)) {
      const [isInside, ...kind] = matchers.map((one, index) => one.accepts(node.states[index] ?? 0))
      const key = kind.map(Number).join('')
      if (isInside === true && !found.has(key)) found.set(key, node.text)
    }
    for (const char of alphabet) {
      const next = grammar.step(node.grammar, char)
      if (next === undefined || inside.isDead(inside.step(node.states[0] ?? 0, char))) continue
      effort.steps -= matchers.length
      if (effort.steps < 0) return undefined
      const states = matchers.map((one, index) => one.step(node.states[index] ?? 0, char))
      const reached = { grammar: next, states, text: node.text + char }
      const key = keyOf(reached)
      if (seen.has(key)) continue
      seen.add(key)
      queue.push(reached)
    }
  }
  return [...found.values()]
}

interface Node {
  readonly grammar: number
  /** Of each matcher. */
  readonly states: readonly number[]
  readonly text: string
}

const keyOf = ({ grammar, states }: Node): string => `${grammar} ${states.join()}`

/** The characters that some pattern names, and one of each group that none does. */
function alphabetOf({ groups }: Grammar, patterns: readonly TextPattern[]): readonly string[] {
  const named = new Set(patterns.flat().filter((char) => char !== undefined))
  return groups.flatMap((group) => {
    const chars = [...group]
    const other = chars.find((char) => !named.has(char))
    return chars.filter((char) => char === other || named.has(char))
  })
}
