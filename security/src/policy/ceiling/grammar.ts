/** Which texts there can be at all, read character by character. States are small numbers. */
export interface Grammar {
  readonly start: number
  /** Undefined where no text goes on so. */
  step(state: number, char: string): number | undefined
  accepts(state: number): boolean
  /** Characters that it cannot tell apart, group by group; the most readable ones first. */
  readonly groups: readonly string[]
}

const letters = 'abcdefghijklmnopqrstuvwxyz'

/**
 * Canonical names of hosts: labels of letters, digits, `_` and inner `-`. A last label of digits
 * alone, or one like `0x7f`, is no name, since some read an address in it.
 */
export const hostGrammar: Grammar = {
  start: 0,
  step(state, char) {
    if (char === '.') return [1, 2, 3, 4].includes(state) ? 0 : undefined
    if (char === '-') return state === 0 ? undefined : 5
    const digit = /^\d$/.test(char)
    switch (state) {
      case 0:
        return char === '0' ? 1 : digit ? 2 : 4
      case 1:
        return digit ? 2 : char === 'x' ? 3 : 4
      case 2:
        return digit ? 2 : 4
      case 3:
        return /^[\da-f]$/.test(char) ? 3 : 4
      default:
        return 4
    }
  },
  accepts: (state) => state === 4,
  groups: ['abcdef', 'ghijklmnopqrstuvwyz', 'x', '123456789', '0', '_', '-', '.'],
}

const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('')
const plain = letters + printable.replace(/[a-z./?#*]/g, '')

/** Paths: states are before, behind a slash, in a part, and in one that is `.` or `..` so far. */
const pathGrammar = (options: {
  readonly emptyParts: boolean
  readonly chars: string
}): Grammar => ({
  start: 0,
  step(state, char) {
    if (state === 0) return char === '/' ? 1 : undefined
    if (char === '/') {
      if (state === 1) return options.emptyParts ? 1 : undefined
      return state === 2 ? 1 : undefined
    }
    if (char !== '.') return 2
    return state === 1 ? 3 : state === 3 ? 4 : 2
  },
  accepts: (state) => state === 2 || (state === 1 && options.emptyParts),
  groups: [options.chars, '.', '/'],
})

/** Paths of requests: without query, fragment and dot segments. */
export const urlPathGrammar: Grammar = pathGrammar({ emptyParts: true, chars: `${plain}*` })

/** Paths of files, normalised. */
export const filePathGrammar: Grammar = pathGrammar({ emptyParts: false, chars: `${plain}*?#é` })

const repeated = (chars: string, least: 0 | 1): Grammar => ({
  start: 0,
  step: () => 1,
  accepts: (state) => state >= least,
  groups: [chars],
})

export const methodGrammar: Grammar = repeated('ABCDEFGHIJKLMNOPQRSTUVWXYZ', 1)
export const headerGrammar: Grammar = repeated(`${letters} ${printable.replace(/[a-z]/g, '')}é`, 0)
export const nameGrammar: Grammar = repeated(`${letters}${printable.replace(/[a-z]/g, '')} é`, 1)
