import type * as z from 'zod'
import { describeIssue } from './describe-issue.ts'
import { type InputPath, inputError, type Problem } from './input-error.ts'
import { type Json, locate, problemAt, type SourceDocument } from './source-document.ts'

export interface InputCheck {
  readonly code: `${string}.invalid`
  readonly file?: string | undefined
  /** Maps whose keys and values belong to the user: `null` in them stays an error. */
  readonly freeMaps: readonly string[]
}

/**
 * What `schema` makes of a document, or one error with all problems and their places. Where text
 * is wanted, an unquoted number of a YAML text counts as the letters it was written with
 * (`3.10` stays `3.10`); `null` counts as absent.
 * @throws AegisError `invalid` with `details.problems`
 */
export function checkInput<Schema extends z.ZodType>(
  schema: Schema,
  document: SourceDocument,
  check: InputCheck,
): z.output<Schema> {
  if (document.problems.length > 0) throw inputError(check.code, document.problems, check.file)
  let { value } = document.root
  for (;;) {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const mended = mend(value, document, result.error.issues, check.freeMaps)
    if (mended === undefined) {
      const problems = problemsOf(result.error.issues, value, document)
      throw inputError(check.code, problems, check.file)
    }
    value = mended
  }
}

/**
 * The value with each misplaced number and `null` replaced, or `undefined` when there is none.
 * Every call replaces a number by text or drops a `null`, so that it ends.
 */
function mend(
  value: Json,
  document: SourceDocument,
  issues: readonly z.core.$ZodIssue[],
  freeMaps: readonly string[],
): Json | undefined {
  const repairs: { path: InputPath; to: string | undefined }[] = []
  for (const issue of issues) {
    const path = inputPath(issue.path)
    const found = valueAt(value, path)
    if (
      found === null &&
      typeof path.at(-1) === 'string' &&
      !freeMaps.includes(String(path.at(-2)))
    )
      repairs.push({ path, to: undefined })
    if (typeof found !== 'number' || !wantsText(issue)) continue
    const { literal } = locate(document, path)
    if (literal !== undefined) repairs.push({ path, to: literal })
  }
  if (repairs.length === 0) return undefined
  const copy = copyOf(value)
  for (const { path, to } of repairs) replace(copy, path, to)
  return copy
}

function wantsText(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return issue.expected === 'string'
  if (issue.code === 'invalid_value') return issue.values.every((one) => typeof one === 'string')
  return issue.code === 'invalid_union'
}

function replace(root: Json, path: InputPath, to: string | undefined): void {
  const holder = valueAt(root, path.slice(0, -1))
  const last = path.at(-1)
  if (Array.isArray(holder) && typeof last === 'number' && to !== undefined) holder[last] = to
  else if (isMap(holder) && typeof last === 'string') {
    if (to === undefined) delete holder[last]
    else holder[last] = to
  }
}

function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  value: Json,
  document: SourceDocument,
): Problem[] {
  // The first for each path: what follows it there is a consequence.
  const problems = new Map<string, Problem>()
  for (const issue of issues) {
    const path = inputPath(issue.path)
    for (const { key, ...finding } of describeIssue(issue, path, valueAt(value, path))) {
      const problem = problemAt(document, key === undefined ? path : [...path, key], finding)
      if (!problems.has(problem.path)) problems.set(problem.path, problem)
    }
  }
  return [...problems.values()]
}

const inputPath = (path: readonly PropertyKey[]): InputPath =>
  path.map((part) => (typeof part === 'number' ? part : String(part)))

function valueAt(root: Json, path: InputPath): Json | undefined {
  let current: Json | undefined = root
  for (const part of path) {
    if (Array.isArray(current) && typeof part === 'number') current = current[part]
    else if (isMap(current) && Object.hasOwn(current, part)) current = current[part]
    else return undefined
  }
  return current
}

const isMap = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function copyOf(value: Json): Json {
  if (Array.isArray(value)) return value.map(copyOf)
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copyOf(inner)]))
}
