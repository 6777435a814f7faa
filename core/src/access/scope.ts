import * as z from 'zod'
import { agentName } from '../agent/manifest-schema.ts'
import { type ApiAction, apiActions } from '../policy/policy-action.ts'

/** Narrows what a role permits. What is absent narrows nothing. */
export interface Scope {
  /** Names of actions, also `api.task.*` for all of a kind. */
  readonly actions?: readonly string[] | undefined
  /** Names of the only agents that may be touched. */
  readonly agents?: readonly string[] | undefined
}

export const maxScopeEntries = 50

/** `api.task.read`, `api.task.*` or `api.*`; one that means no action is refused. */
export const actionPattern = () =>
  z.string().refine((text) => apiActions.some((action) => matchesAction(text, action)), {
    error: ({ input }) =>
      `${JSON.stringify(input)} is no action. There are ${apiActions.join(', ')}, and api.<what>.* for all of a kind`,
  })

const list = <Entry extends z.ZodType>(entry: Entry) =>
  z.array(entry).min(1).max(maxScopeEntries).readonly().optional()

/** An empty list is refused: it could be taken for all or for nothing. */
export const scopeSchema = z.strictObject({
  actions: list(actionPattern()),
  agents: list(agentName()),
})

export const scopePermits = (scope: Scope | undefined, action: ApiAction): boolean =>
  scope?.actions === undefined || scope.actions.some((pattern) => matchesAction(pattern, action))

/**
 * What concerns agents one by one, or shows a list that is cut down to them. Everything else concerns
 * the whole node, and is nothing for a caller who may touch only some agents.
 */
const perAgent: ReadonlySet<ApiAction> = new Set<ApiAction>([
  'api.node.read',
  'api.agent.read',
  'api.agent.write',
  'api.task.read',
  'api.task.execute',
  'api.task.cancel',
  'api.task.remove',
  'api.image.read',
  'api.sandbox.read',
])

/** Whether a caller who may touch only some agents may do this at all. */
export const isPerAgent = (action: ApiAction): boolean => perAgent.has(action)

function matchesAction(pattern: string, action: ApiAction): boolean {
  return pattern.endsWith('.*') ? action.startsWith(pattern.slice(0, -1)) : pattern === action
}
