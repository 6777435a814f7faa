import { AegisError } from './aegis-error.ts'

/** Where a value stands in a document: keys of maps and positions in lists, outermost first. */
export type InputPath = readonly (string | number)[]

/** A position in a text, both counted from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** One thing that is wrong with a document, and how to mend it. */
export interface Problem {
  /** `spec.context[0].path`; empty for the document itself. */
  readonly path: string
  readonly line?: number | undefined
  readonly column?: number | undefined
  readonly message: string
  readonly remedy: string
}

/** What is wrong and how to mend it, wherever it may stand. */
export type Finding = Pick<Problem, 'message' | 'remedy'>

/** Problems that one message lists; all of them are in the error's details, up to `maxProblems`. */
const maxListed = 20
const maxProblems = 100

/**
 * The error of a document with problems. Its message has a line for each, in the order of the
 * text: `agent.yaml:12:5 spec.runtime.isolation: "dokcer" is not known. Use one of …`.
 */
export function inputError(
  code: `${string}.invalid`,
  problems: readonly Problem[],
  file?: string,
): AegisError {
  const sorted = problems.toSorted(byPlace).slice(0, maxProblems)
  const lines = sorted.slice(0, maxListed).map((problem) => formatProblem(problem, file))
  const more = problems.length - lines.length
  if (more > 0) lines.push(`… and ${more} more. Mend these first.`)
  return new AegisError('invalid', code, lines.join('\n'), { details: { problems: sorted } })
}

/** One line: place, path, what is wrong, what to do. */
export function formatProblem(problem: Problem, file?: string): string {
  const { path, line, column, message, remedy } = problem
  const place = line === undefined ? [file] : [file ?? 'line', line, column]
  const where = [place.filter((part) => part !== undefined).join(':'), path].filter(Boolean)
  return `${where.length === 0 ? '' : `${where.join(' ')}: `}${message} ${remedy}`
}

/** `spec.context[0].path`; a key that is not a plain word is quoted: `spec.env["a b"]`. */
export function formatPath(path: InputPath): string {
  const parts = path.map((part, index) => {
    if (typeof part === 'number') return `[${part}]`
    if (!/^[\w-]{1,80}$/.test(part)) return `[${quote(part)}]`
    return index === 0 ? part : `.${part}`
  })
  return parts.join('')
}

/** A hostile or long text in double quotes, on one line, cut to 60 characters. */
export function quote(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return JSON.stringify(cut).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, '?')
}

function byPlace(a: Problem, b: Problem): number {
  const lines = (a.line ?? 0) - (b.line ?? 0)
  return lines === 0 ? (a.column ?? 0) - (b.column ?? 0) : lines
}
