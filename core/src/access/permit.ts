import { AegisError } from '../kernel/aegis-error.ts'
import type { ApiAction } from '../policy/policy-action.ts'
import type { Actor } from './actor.ts'
import { includesRole, leastRole, roleMay } from './role.ts'
import { isPerAgent, scopePermits } from './scope.ts'

/**
 * Refuses what the role of the actor does not permit, or what its scope leaves out.
 * @throws AegisError `denied` / `access.role`, `access.scope`, `access.agent`
 */
export function requirePermission(actor: Actor, action: ApiAction): void {
  const { name, role, scope } = actor
  if (!roleMay(role, action)) {
    const needed = leastRole[action]
    throw denied(
      'access.role',
      `${shown(name)} has the role ${role}, which does not permit ${action}. Use a token with the role ${needed}, or ask an admin for one: aegis token create <name> --role ${needed}`,
      { action, actor: name, role, needed_role: needed },
    )
  }
  if (!scopePermits(scope, action)) {
    const actions = scope?.actions ?? []
    throw denied(
      'access.scope',
      `The token of ${shown(name)} is narrowed to ${actions.join(', ')}, which leaves out ${action}. Use another token, or ask an admin for one with --scope ${action}`,
      { action, actor: name, role, scope: actions },
    )
  }
  if (scope?.agents !== undefined && !isPerAgent(action)) {
    throw denied(
      'access.agent',
      `${action} concerns the whole node, and the token of ${shown(name)} only the agents ${scope.agents.join(', ')}. Use a token without --agent`,
      { action, actor: name, role, agents: scope.agents },
    )
  }
}

/**
 * Refuses an agent that is out of the actor's scope. Who passes undefined for one that there is not
 * gives the same answer, so that the caller does not learn which of the others exist.
 * @throws AegisError `denied` / `access.agent`
 */
export function requireAgent(actor: Actor, action: ApiAction, agent: string | undefined): void {
  const { name, role, scope } = actor
  if (scope?.agents === undefined) return
  if (agent !== undefined && scope.agents.includes(agent)) return
  throw denied(
    'access.agent',
    `The token of ${shown(name)} is for the agents ${scope.agents.join(', ')} only. Use another token for ${action} here, or ask an admin for one with --agent`,
    { action, actor: name, role, agents: scope.agents },
  )
}

/** Whether the actor may do all that `other` may, so that it may give that away. */
export function coversActor(actor: Actor, other: Pick<Actor, 'role' | 'scope'>): boolean {
  if (!includesRole(actor.role, other.role)) return false
  if (actor.scope === undefined) return true
  const permitted = (one: Pick<Actor, 'role' | 'scope'>, action: ApiAction): boolean =>
    roleMay(one.role, action) && scopePermits(one.scope, action)
  const actions = Object.keys(leastRole) as ApiAction[]
  if (actions.some((action) => permitted(other, action) && !permitted(actor, action))) return false
  const { agents } = actor.scope
  return (
    agents === undefined ||
    (other.scope?.agents ?? [undefined]).every(
      (agent) => agent !== undefined && agents.includes(agent),
    )
  )
}

const shown = (name: string): string => JSON.stringify(name)

const denied = (
  code: `access.${string}`,
  message: string,
  details: Readonly<Record<string, unknown>>,
): AegisError => new AegisError('denied', code, message, { details })
