import type { AuditTrail } from '../audit/audit-entry.ts'
import type { NewToken, TokenControl } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock, Instant } from '../kernel/clock.ts'
import { apiActions } from '../policy/policy-action.ts'
import type { Actor } from './actor.ts'
import { coversActor } from './permit.ts'
import { roleMay } from './role.ts'
import { isPerAgent, scopePermits } from './scope.ts'
import {
  type MintToken,
  type StoredToken,
  type TokenFacts,
  type TokenRepository,
  tokenStateAt,
} from './token.ts'

export interface TokenControlDeps {
  readonly tokens: TokenRepository
  readonly mintToken: MintToken
  readonly audit: AuditTrail
  readonly clock: Clock
}

const dayMs = 24 * 3_600_000
/** Of a token whose maker says nothing of it. */
export const defaultTokenLifetimeMs = 90 * dayMs
export const maxTokenLifetimeMs = 3650 * dayMs
/** Not counting those that are revoked. */
export const maxTokens = 1000
/** How long a revoked token is remembered, so that the audit can tell it from an unknown one. */
const rememberedMs = 90 * dayMs

/** The use cases of tokens, for one caller. What they change is in the audit before it is so. */
export function makeTokenControl(deps: TokenControlDeps, actor: Actor): TokenControl {
  const { tokens, mintToken, audit, clock } = deps

  const record = (type: 'token.created' | 'token.revoked', token: TokenFacts, at: Instant) =>
    audit.record([{ at, type, actor: actor.name, data: { ...described(token) } }])

  return {
    async create(request) {
      refuseIdle(request)
      refuseMore(actor, request)
      await makeRoom(tokens, clock.now())
      const { name, role, scope, lifetimeMs = defaultTokenLifetimeMs } = request
      const at = clock.now()
      const { id, digest, text } = mintToken()
      const token: StoredToken = {
        id,
        name,
        role,
        ...(scope !== undefined && { scope }),
        createdAt: at,
        createdBy: actor.name,
        ...(lifetimeMs !== null && {
          expiresAt: new Date(Date.parse(at) + lifetimeMs).toISOString(),
        }),
        digest,
      }
      await refuseTaken(tokens, name)
      await record('token.created', token, at)
      await tokens.add(token)
      return { token: described(token), text }
    },

    async list() {
      return (await tokens.list()).map(described)
    },

    async revoke(ref) {
      const token = await find(tokens, ref)
      if (token.revokedAt !== undefined) return described(token)
      const at = clock.now()
      await record('token.revoked', token, at)
      await tokens.revoke(token.id, at)
      return { ...described(token), revokedAt: at }
    },

    async whoami() {
      const { name, role, scope, tokenId } = actor
      const token = tokenId === undefined ? undefined : await tokens.byId(tokenId)
      return {
        name,
        role,
        ...(scope !== undefined && { scope }),
        ...(tokenId !== undefined && { tokenId }),
        ...(token?.expiresAt !== undefined && { expiresAt: token.expiresAt }),
        actions: apiActions.filter(
          (action) =>
            roleMay(role, action) &&
            scopePermits(scope, action) &&
            (scope?.agents === undefined || isPerAgent(action)),
        ),
      }
    },
  }
}

/** The token without its digest. */
function described({ digest: _, ...facts }: TokenFacts & { readonly digest?: string }): TokenFacts {
  return facts
}

/** A live token by its name, or any by its id. */
async function find(tokens: TokenRepository, ref: string): Promise<StoredToken> {
  const all = await tokens.list()
  const found =
    all.find(({ name, revokedAt }) => name === ref && revokedAt === undefined) ??
    all.find(({ id }) => id === ref) ??
    all.findLast(({ name }) => name === ref)
  if (found !== undefined) return found
  throw new AegisError(
    'not-found',
    'token.absent',
    `There is no token "${ref}". See aegis token list.`,
  )
}

/** A scope that leaves nothing of the role is a mistake. @throws AegisError `invalid` / `token.scope` */
function refuseIdle({ role, scope }: NewToken): void {
  for (const pattern of scope?.actions ?? []) {
    const meant = apiActions.filter((action) => scopePermits({ actions: [pattern] }, action))
    const left = meant.filter(
      (action) => roleMay(role, action) && (scope?.agents === undefined || isPerAgent(action)),
    )
    if (left.length > 0) continue
    throw new AegisError(
      'invalid',
      'token.scope',
      meant.some((action) => roleMay(role, action))
        ? `The scope ${pattern} concerns the whole node, and the token only some agents. Leave out one of the two.`
        : `The role ${role} permits nothing of the scope ${pattern}. Choose a role that does, or leave the scope out.`,
    )
  }
}

/** Nobody gives away more than he has. @throws AegisError `denied` / `access.escalation` */
function refuseMore(actor: Actor, request: NewToken): void {
  if (coversActor(actor, request)) return
  throw new AegisError(
    'denied',
    'access.escalation',
    `The new token could do more than ${JSON.stringify(actor.name)} may. Narrow it by --role, --scope and --agent, or use a token that may do as much.`,
    { details: { actor: actor.name, role: actor.role } },
  )
}

/** @throws AegisError `conflict` / `token.exists` */
async function refuseTaken(tokens: TokenRepository, name: string): Promise<void> {
  for (const token of await tokens.list()) {
    if (token.name === name && token.revokedAt === undefined) throw tokenExists(token)
  }
}

export const tokenExists = ({ name, id }: Pick<TokenFacts, 'name' | 'id'>): AegisError =>
  new AegisError(
    'conflict',
    'token.exists',
    `There is a token "${name}" already (${id}). Choose another name, or revoke it first: aegis token revoke ${name}`,
    { details: { name, id } },
  )

/** Forgets what was revoked long ago. @throws AegisError `exhausted` / `token.limit` */
async function makeRoom(tokens: TokenRepository, now: Instant): Promise<void> {
  const all = await tokens.list()
  for (const { id, revokedAt } of all) {
    if (revokedAt === undefined) continue
    if (Date.parse(now) - Date.parse(revokedAt) > rememberedMs) await tokens.remove(id)
  }
  const live = all.filter(({ revokedAt }) => revokedAt === undefined)
  if (live.length < maxTokens) return
  const expired = live.filter((token) => tokenStateAt(token, now) === 'expired').length
  throw new AegisError(
    'exhausted',
    'token.limit',
    `There are ${maxTokens} tokens, the most that a node keeps (${expired} of them are expired). Revoke what nobody uses: aegis token list`,
  )
}
