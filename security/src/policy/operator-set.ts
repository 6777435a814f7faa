import type { PolicyAction, PolicyProblem } from '@aegis/core'
import type { CompiledPolicy } from './compiled-policy.ts'
import { type Interest, interestOf } from './inspect-expression.ts'
import type { OperatorPolicies } from './operator-policies.ts'

/** The operator's policies that are in force. */
export interface OperatorSet {
  /** Another number for each set: what was decided under one does not hold under the next. */
  readonly generation: number
  /** Undefined until the first set could be read: then nothing is permitted. */
  readonly policies: readonly CompiledPolicy[] | undefined
  readonly problems: readonly PolicyProblem[]
  readonly warnings: readonly PolicyProblem[]
  /** What forbids some of this action, and what it looks into. */
  forbids(action: PolicyAction): Forbids
}

export interface Forbids {
  readonly policies: readonly CompiledPolicy[]
  readonly interest: Interest
}

export function makeOperatorSet(
  generation: number,
  {
    policies,
    problems,
    warnings,
  }: Omit<OperatorPolicies, 'policies'> & Pick<OperatorSet, 'policies'>,
): OperatorSet {
  const sorted = new Map<PolicyAction, Forbids>()
  return {
    generation,
    policies,
    problems,
    warnings,
    forbids(action) {
      const known = sorted.get(action)
      if (known !== undefined) return known
      const chosen = (policies ?? []).filter(
        ({ effect, actions }) => effect === 'forbid' && actions.includes(action),
      )
      const forbids = { policies: chosen, interest: interestOf(chosen) }
      sorted.set(action, forbids)
      return forbids
    },
  }
}
