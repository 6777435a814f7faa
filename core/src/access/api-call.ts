import type { AuditEntry } from '../audit/audit-entry.ts'
import type { Instant } from '../kernel/clock.ts'
import type { ApiAction } from '../policy/policy-action.ts'
import type { Actor } from './actor.ts'

/** One call, as the audit keeps it: never with a body, a query or a secret. */
export interface ApiCall {
  readonly at: Instant
  /** `http`, or `embedded` for a command that works on the home without a daemon. */
  readonly via: 'http' | 'embedded'
  /** Undefined when nobody was authenticated. */
  readonly actor?: Actor | undefined
  readonly action?: ApiAction | undefined
  /** What it concerned, for example the name of an agent. */
  readonly resource?: string | undefined
  readonly agentId?: string | undefined
  readonly executionId?: string | undefined
  /** The rest, by `via`. */
  readonly data: Readonly<Record<string, string | number | undefined>>
}

export function apiCalled(call: ApiCall): AuditEntry {
  const { at, via, actor, action, resource, agentId, executionId, data } = call
  const all = {
    via,
    role: actor?.role,
    token_id: actor?.tokenId,
    action,
    resource,
    ...data,
  }
  const known = Object.entries(all).filter(([, value]) => value !== undefined)
  return {
    at,
    type: 'api.called',
    ...(actor !== undefined && { actor: actor.name }),
    ...(agentId !== undefined && { agentId }),
    ...(executionId !== undefined && { executionId }),
    data: Object.fromEntries(known),
  }
}
