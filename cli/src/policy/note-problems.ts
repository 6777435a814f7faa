import { formatPolicyProblem, type PolicyReview } from '@aegis/core'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Errors and warnings with their places, one a line, on stderr. */
export function noteProblems(
  { note, noteStyle }: Terminal,
  { problems, warnings }: Pick<PolicyReview, 'problems' | 'warnings'>,
): void {
  for (const problem of problems) {
    note(`${noteStyle.bad('error')} ${sanitiseLine(formatPolicyProblem(problem))}`)
  }
  for (const warning of warnings) {
    note(`${noteStyle.warning('warning')} ${sanitiseLine(formatPolicyProblem(warning))}`)
  }
}
