import type { PolicyAction } from '@aegis/core'
import type { CedarRequest } from './cedar-request.ts'
import type { CompiledPolicy } from './compiled-policy.ts'
import { interestOf } from './inspect-expression.ts'

/** The policies that one manifest was compiled to. */
export interface OwnPolicies {
  readonly all: readonly CompiledPolicy[]
  /** Names of the headers that they look at. */
  readonly headers: ReadonlySet<string>
  /**
   * Those that may apply to a request, and a name for this choice. A manifest may have thousands,
   * most of them about other hosts: to leave those out changes no answer, and saves the time.
   */
  relevant(request: CedarRequest): Choice
}

export interface Choice {
  readonly key: string
  readonly policies: readonly CompiledPolicy[]
}

/** `key` names the manifest among the prepared sets. */
export function makeOwnPolicies(key: string, all: readonly CompiledPolicy[]): OwnPolicies {
  const sliced = new Map<string, readonly Indexed[]>()
  for (const [index, policy] of all.entries()) {
    for (const action of policy.actions) {
      const slice = sliceName(action, policy.slice)
      sliced.set(slice, [...(sliced.get(slice) ?? []), { index, policy }])
    }
  }
  return {
    all,
    headers: interestOf(all).headers ?? new Set(),
    relevant({ action, slices }) {
      const chosen = [undefined, ...slices].flatMap(
        (slice) => sliced.get(sliceName(action, slice)) ?? [],
      )
      return {
        key: `${key} ${chosen.map(({ index }) => index).join(' ')}`,
        policies: chosen.map(({ policy }) => policy),
      }
    },
  }
}

interface Indexed {
  readonly index: number
  readonly policy: CompiledPolicy
}

const sliceName = (action: PolicyAction, slice = ''): string => `${action} ${slice}`
