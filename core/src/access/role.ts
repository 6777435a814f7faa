import type { ApiAction } from '../policy/policy-action.ts'

/** From the least to the most: each may do all that those before it may. */
export const roles = ['viewer', 'developer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/** The least role that each action takes. */
export const leastRole: Readonly<Record<ApiAction, Role>> = {
  'api.node.read': 'viewer',
  'api.agent.read': 'viewer',
  'api.task.read': 'viewer',
  'api.image.read': 'viewer',
  'api.sandbox.read': 'viewer',
  'api.agent.write': 'developer',
  'api.task.execute': 'developer',
  'api.task.cancel': 'developer',
  'api.policy.read': 'developer',
  'api.task.remove': 'operator',
  'api.image.write': 'operator',
  'api.secret.read': 'operator',
  'api.secret.write': 'operator',
  'api.audit.read': 'operator',
  'api.token.read': 'operator',
  'api.token.write': 'admin',
}

/** Whether `role` may do all that `other` may. */
export const includesRole = (role: Role, other: Role): boolean =>
  roles.indexOf(role) >= roles.indexOf(other)

export const roleMay = (role: Role, action: ApiAction): boolean =>
  includesRole(role, leastRole[action])

export const isRole = (word: unknown): word is Role => roles.some((role) => role === word)
