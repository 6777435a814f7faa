import {
  apiActions,
  type CreatedToken,
  maxTokenLifetimeMs,
  type NewToken,
  roles,
  Secret,
  scopeSchema,
  type TokenFacts,
  tokenId,
  type WhoAmI,
} from '@aegis/core'
import { z } from 'zod'
import { instant } from './scalars.ts'

const scope = scopeSchema.exactOptional()

/** The body of `POST /api/tokens`. */
export const newToken = z.strictObject({
  name: z
    .string()
    .regex(
      /^(?!local$)[a-z0-9][a-z0-9._-]{0,79}$/,
      'must be a name of a-z, 0-9, ".", "_" and "-" (not first), at most 80 characters, and not local',
    ),
  role: z.enum(roles),
  scope: scopeSchema.optional(),
  /** Null: never. */
  expires_in_seconds: z
    .int()
    .min(1)
    .max(maxTokenLifetimeMs / 1000)
    .nullish(),
})

/** An entry of `GET /api/tokens`. */
export const tokenFacts = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  scope,
  created_at: instant,
  created_by: z.string(),
  expires_at: instant.nullable(),
  last_used_at: instant.nullable(),
  revoked_at: instant.nullable(),
})

export const tokenList = z.array(tokenFacts)

/** `POST /api/tokens`; the only answer that holds a token. */
export const createdToken = z.object({ token: z.string(), facts: tokenFacts })

/** `GET /api/whoami` */
export const whoAmI = z.object({
  name: z.string(),
  role: z.enum(roles),
  scope,
  token_id: z.string().nullable(),
  expires_at: instant.nullable(),
  actions: z.array(z.enum(apiActions)),
})

export const newTokenToWire = ({
  name,
  role,
  scope,
  lifetimeMs,
}: NewToken): z.input<typeof newToken> => ({
  name,
  role,
  ...(scope !== undefined && { scope }),
  ...(lifetimeMs !== undefined && {
    expires_in_seconds: lifetimeMs === null ? null : Math.ceil(lifetimeMs / 1000),
  }),
})

export const newTokenFromWire = ({
  name,
  role,
  scope,
  expires_in_seconds: seconds,
}: z.output<typeof newToken>): NewToken => ({
  name,
  role,
  ...(scope !== undefined && { scope }),
  ...(seconds !== undefined && { lifetimeMs: seconds === null ? null : seconds * 1000 }),
})

export const tokenFactsToWire = (facts: TokenFacts): z.input<typeof tokenFacts> => ({
  id: facts.id,
  name: facts.name,
  role: facts.role,
  ...(facts.scope !== undefined && { scope: facts.scope }),
  created_at: facts.createdAt,
  created_by: facts.createdBy,
  expires_at: facts.expiresAt ?? null,
  last_used_at: facts.lastUsedAt ?? null,
  revoked_at: facts.revokedAt ?? null,
})

export const tokenFactsFromWire = (wire: z.output<typeof tokenFacts>): TokenFacts => ({
  id: tokenId(wire.id),
  name: wire.name,
  role: wire.role,
  ...(wire.scope !== undefined && { scope: wire.scope }),
  createdAt: wire.created_at,
  createdBy: wire.created_by,
  ...(wire.expires_at !== null && { expiresAt: wire.expires_at }),
  ...(wire.last_used_at !== null && { lastUsedAt: wire.last_used_at }),
  ...(wire.revoked_at !== null && { revokedAt: wire.revoked_at }),
})

export const createdTokenToWire = ({
  token,
  text,
}: CreatedToken): z.input<typeof createdToken> => ({
  token: text.reveal(),
  facts: tokenFactsToWire(token),
})

export const createdTokenFromWire = (wire: z.output<typeof createdToken>): CreatedToken => ({
  token: tokenFactsFromWire(wire.facts),
  text: new Secret(wire.token),
})

export const whoAmIToWire = (who: WhoAmI): z.input<typeof whoAmI> => ({
  name: who.name,
  role: who.role,
  ...(who.scope !== undefined && { scope: who.scope }),
  token_id: who.tokenId ?? null,
  expires_at: who.expiresAt ?? null,
  actions: [...who.actions],
})

export const whoAmIFromWire = (wire: z.output<typeof whoAmI>): WhoAmI => ({
  name: wire.name,
  role: wire.role,
  ...(wire.scope !== undefined && { scope: wire.scope }),
  ...(wire.token_id !== null && { tokenId: tokenId(wire.token_id) }),
  ...(wire.expires_at !== null && { expiresAt: wire.expires_at }),
  actions: wire.actions,
})
