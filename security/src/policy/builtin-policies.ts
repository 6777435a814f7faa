import { apiActions, lifecycleActions, type PolicyAction } from '@aegis/core'
import type { CompiledPolicy } from './compiled-policy.ts'

/**
 * What users may do as far as policies are concerned: everything, until the operator forbids it.
 * Roles and scopes of their tokens are checked besides.
 */
export const builtinPolicies: readonly CompiledPolicy[] = [
  ...lifecycleActions.map((action) => forUsers(`builtin/${action}`, [action])),
  forUsers('builtin/api', apiActions),
]

function forUsers(id: string, actions: readonly PolicyAction[]): CompiledPolicy {
  return {
    id,
    effect: 'permit',
    actions,
    source: 'AEGIS',
    json: {
      effect: 'permit',
      principal: { op: 'is', entity_type: 'User' },
      action: { op: 'in', entities: actions.map((one) => ({ type: 'Action', id: one })) },
      resource: { op: 'All' },
      conditions: [],
    },
  }
}
