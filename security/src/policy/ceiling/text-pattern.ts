/** A pattern of Cedar's `like`: `undefined` stands for any text, everything else for itself. */
export type TextPattern = readonly (string | undefined)[]

/** A word without anything special in it. */
export const wordPattern = (word: string): TextPattern => [...word]

/** `starPattern('*.a')`: a star stands for any text. */
export const starPattern = (text: string): TextPattern =>
  [...text].map((char) => (char === '*' ? undefined : char))

/** Reads texts character by character; states are small numbers, made as they are reached. */
export interface Matcher {
  readonly start: number
  step(state: number, char: string): number
  accepts(state: number): boolean
  /** Whether no text that goes on from here matches. */
  isDead(state: number): boolean
}

export function makeMatcher(pattern: TextPattern): Matcher {
  const states: State[] = []
  const byKey = new Map<string, number>()
  const intern = (positions: readonly number[]): number => {
    const key = positions.join()
    const known = byKey.get(key)
    if (known !== undefined) return known
    byKey.set(key, states.length)
    return states.push({ positions, next: new Map() }) - 1
  }
  const start = intern(settle(pattern, [0]))
  return {
    start,
    step(state, char) {
      const { positions, next } = states[state] ?? dead
      const known = next.get(char)
      if (known !== undefined) return known
      const reached = intern(settle(pattern, advance(pattern, positions, char)))
      next.set(char, reached)
      return reached
    },
    accepts: (state) => (states[state] ?? dead).positions.includes(pattern.length),
    isDead: (state) => (states[state] ?? dead).positions.length === 0,
  }
}

interface State {
  /** How far a text may have come. */
  readonly positions: readonly number[]
  readonly next: Map<string, number>
}

const dead: State = { positions: [], next: new Map() }

/** Whether a whole text matches: the last star takes one character more whenever the rest does not. */
export function matches(pattern: TextPattern, text: string): boolean {
  const chars = [...text]
  let [at, star, taken] = [0, -1, 0]
  for (let read = 0; read < chars.length; ) {
    if (at < pattern.length && pattern[at] === undefined) {
      star = at
      taken = read
      at += 1
    } else if (at < pattern.length && pattern[at] === chars[read]) {
      at += 1
      read += 1
    } else if (star >= 0) {
      taken += 1
      read = taken
      at = star + 1
    } else return false
  }
  return pattern.slice(at).every((char) => char === undefined)
}

function advance(pattern: TextPattern, positions: readonly number[], char: string): number[] {
  return positions.flatMap((at) => {
    if (at >= pattern.length) return []
    if (pattern[at] === undefined) return [at]
    return pattern[at] === char ? [at + 1] : []
  })
}

/** A star may stand for nothing; and behind the last one that was reached, nothing before counts. */
function settle(pattern: TextPattern, reached: readonly number[]): readonly number[] {
  const all = new Set<number>()
  for (const start of reached) {
    let at = start
    all.add(at)
    while (at < pattern.length && pattern[at] === undefined) {
      at += 1
      all.add(at)
    }
  }
  const sorted = [...all].toSorted((a, b) => a - b)
  const star = sorted.findLast((at) => at < pattern.length && pattern[at] === undefined) ?? 0
  return sorted.filter((at) => at >= star)
}

/** False only for patterns that no text matches both of, going by how these begin and end. */
export function mayOverlap(one: TextPattern, other: TextPattern): boolean {
  return agree(one, other) && agree(one.toReversed(), other.toReversed())
}

/** Whether what stands before the first star of either agrees. */
function agree(one: TextPattern, other: TextPattern): boolean {
  for (const [at, char] of one.entries()) {
    if (char === undefined || at >= other.length || other[at] === undefined) return true
    if (char !== other[at]) return false
  }
  return true
}
