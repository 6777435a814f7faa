import { type Authentication, includesRole, isRole, type Role } from '@aegis/core'
import type { JWTPayload } from 'jose'

export interface ClaimOptions {
  /** Claim that names the caller. */
  readonly nameClaim: string
  /** Claim with a role, or with one or more groups; `a.b` also means `b` inside `a`. */
  readonly roleClaim: string
  /** The role of each group. Empty: the claim holds roles themselves. */
  readonly roles: Readonly<Record<string, Role>>
}

const maxNameCharacters = 200

/** Who the provider says it is. The name cannot be mistaken for that of a token of the node. */
export function callerOf(claims: JWTPayload, options: ClaimOptions): Authentication {
  const { nameClaim, roleClaim, roles } = options
  const name = claimAt(claims, nameClaim)
  if (typeof name !== 'string' || !isName(name)) {
    return { refused: 'invalid', because: `The claim ${nameClaim} holds no name.` }
  }
  const actorName = `oidc:${name}`
  const groups = [claimAt(claims, roleClaim)].flat()
  const role = highest(groups.flatMap((group) => roleOf(group, roles)))
  if (role !== undefined) return { actor: { name: actorName, role } }
  const because = `The claim ${roleClaim} holds ${groups[0] === undefined ? 'nothing' : 'no group that has a role here'}.`
  return { refused: 'no-role', name: actorName, because }
}

function roleOf(group: unknown, roles: ClaimOptions['roles']): readonly Role[] {
  if (typeof group !== 'string') return []
  const mapped = Object.hasOwn(roles, group) ? roles[group] : undefined
  if (mapped !== undefined) return [mapped]
  return Object.keys(roles).length === 0 && isRole(group) ? [group] : []
}

const highest = (found: readonly Role[]): Role | undefined =>
  found.find((role) => found.every((other) => includesRole(role, other)))

/** The claim of that name, or, for `a.b`, the one inside the other. */
function claimAt(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let found: unknown = claims
  for (const key of name.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = Reflect.get(found, key)
  }
  return found
}

const isName = (name: string): boolean =>
  name !== '' && name.length <= maxNameCharacters && !/\p{C}/u.test(name)
