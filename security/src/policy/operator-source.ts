import { AegisError, formatPolicyProblem, type Logger, type PolicyProblem } from '@aegis/core'
import { readOperatorPolicies } from './operator-policies.ts'
import { makeOperatorSet, type OperatorSet } from './operator-set.ts'
import { folderSignature, readPolicyFolder, watchPolicyFolder } from './policy-folder.ts'

export interface OperatorSource extends Disposable {
  current(): OperatorSet
}

export interface OperatorSourceOptions {
  /** Of the operator's `*.cedar`. */
  readonly folder: string
  /** Whether the folder must exist; else there need be none. */
  readonly required: boolean
  /**
   * Reads the operator's policies at once, and refuses to open when they have errors. Else they are
   * read at the first question, and while they have errors all is denied.
   */
  readonly eager: boolean
  readonly logger: Pick<Logger, 'info' | 'error'>
}

/**
 * Follows the operator's folder. A set is swapped as a whole; while the files have an error, the
 * last good set stays in force, and the error is told.
 * @throws AegisError `invalid` / `policies.invalid` with `eager`
 */
export function openOperatorSource(options: OperatorSourceOptions): OperatorSource {
  const { folder, required, eager, logger } = options
  const state: { set: OperatorSet | undefined } = { set: undefined }

  const load = (): OperatorSet => {
    const { set: last } = state
    const expected = required || (last?.policies?.length ?? 0) > 0
    const found = read(folder, expected)
    const generation = (last?.generation ?? 0) + 1
    const broken = found.problems.length > 0
    state.set = makeOperatorSet(generation, {
      policies: broken ? last?.policies : found.policies,
      problems: found.problems,
      warnings: broken ? (last?.warnings ?? []) : found.warnings,
    })
    return state.set
  }
  const since = folderSignature(folder)
  if (eager) {
    const { problems } = load()
    if (problems.length > 0) throw refusal(problems, folder)
  }
  const watching = watchPolicyFolder(folder, since, () => {
    // Not read yet: the first question will find what is there then.
    if (state.set === undefined) return
    const { policies, problems } = load()
    if (problems.length > 0) {
      logger.error({ folder, problems }, 'policies have errors: the last good set stays in force')
    } else {
      logger.info({ folder, policies: policies?.length }, 'policies were reloaded')
    }
  })
  return {
    current: () => state.set ?? load(),
    [Symbol.dispose]: () => watching[Symbol.dispose](),
  }
}

const maxTries = 5

function read(
  folder: string,
  expected: boolean,
): Pick<OperatorSet, 'policies' | 'problems' | 'warnings'> {
  try {
    for (let left = maxTries; ; left -= 1) {
      const before = folderSignature(folder)
      const files = readPolicyFolder(folder)
      // Somebody writes: what was read may be half of a file.
      if (left > 1 && folderSignature(folder) !== before) continue
      if (files === undefined && expected) throw new Error('There is no such folder.')
      return readOperatorPolicies(files ?? [])
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { policies: undefined, problems: [{ file: folder, message }], warnings: [] }
  }
}

const refusal = (problems: readonly PolicyProblem[], folder: string) => {
  const lines = problems.slice(0, 20).map(formatPolicyProblem)
  if (problems.length > lines.length) lines.push(`… and ${problems.length - lines.length} more.`)
  return new AegisError(
    'invalid',
    'policies.invalid',
    `The policies in ${folder} have errors, and without them nothing may run:\n${lines.join('\n')}\nMend them, and check them with aegis policy check.`,
    { details: { problems: problems.slice(0, 100) } },
  )
}
