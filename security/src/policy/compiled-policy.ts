import type { PolicyAction } from '@aegis/core'
import type { Expr, PolicyJson } from './cedar.ts'

/** One policy as the engine holds it. */
export interface CompiledPolicy {
  /** `agent/coder/network.allowlist[2]`, `ceiling.cedar#1`, `builtin/api` */
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly actions: readonly PolicyAction[]
  /** Where it comes from: a field of a manifest, or a file with its line. */
  readonly source: string
  readonly json: PolicyJson
  /** As its author wrote it. */
  readonly text?: string | undefined
  /**
   * What a request must name for the policy to apply; see `slicesOf`. Absent: any request of its
   * actions may be.
   */
  readonly slice?: string | undefined
}

interface Parts extends Omit<CompiledPolicy, 'json'> {
  readonly agent: string
  readonly when?: Expr | undefined
  readonly resource?: PolicyJson['resource']
}

/** A policy of one agent, and of nobody else. */
export function agentPolicy({ agent, when, resource, ...policy }: Parts): CompiledPolicy {
  const actions = policy.actions.map((id) => ({ type: 'Action', id }))
  const [first] = actions
  return {
    ...policy,
    json: {
      effect: policy.effect,
      principal: { op: '==', entity: { type: 'Agent', id: agent } },
      action:
        first !== undefined && actions.length === 1
          ? { op: '==', entity: first }
          : { op: 'in', entities: actions },
      resource: resource ?? { op: 'All' },
      conditions: when === undefined ? [] : [{ kind: 'when', body: when }],
    },
  }
}
