import type { DatabaseSync } from 'node:sqlite'
import {
  AegisError,
  type Instant,
  isRole,
  type Role,
  type Scope,
  type StoredToken,
  scopeSchema,
  type TokenId,
  type TokenRepository,
  tokenExists,
} from '@aegis/core'
import { prepared } from './prepared.ts'
import { storeClosed, storeCorrupt, translating } from './sqlite-error.ts'

/** The tokens of the API. What changes them is durable when the call returns. */
export function makeSqliteTokens(database: DatabaseSync, path: string): TokenRepository {
  const statements = prepare(database)

  const run = <T>(work: () => T): T => {
    if (!database.isOpen) throw storeClosed(path)
    return translating(path, work)
  }

  return {
    async add(token) {
      run(() => {
        // One turn of the event loop, so that nobody comes in between.
        const taken = statements.live.get(token.name)
        if (taken !== undefined) throw tokenExists(toToken(taken, path))
        const { id, name, digest, role, scope, createdAt, createdBy, expiresAt } = token
        statements.insert.run(
          id,
          name,
          digest,
          role,
          scope === undefined ? null : JSON.stringify(scope),
          createdAt,
          createdBy,
          expiresAt ?? null,
        )
      })
    },
    async byId(id) {
      const row = run(() => statements.byId.get(id))
      return row && toToken(row, path)
    },
    async list() {
      return run(() => statements.all.all()).map((row) => toToken(row, path))
    },
    async revoke(id, at) {
      run(() => statements.revoke.run(at, id))
    },
    async touch(id, at) {
      run(() => statements.touch.run(at, id))
    },
    async remove(id) {
      run(() => statements.remove.run(id))
    },
  }
}

const prepare = (database: DatabaseSync) => ({
  byId: prepared<TokenRow>(database, 'select * from tokens where id = ?'),
  live: prepared<TokenRow>(database, 'select * from tokens where name = ? and revoked_at is null'),
  all: prepared<TokenRow>(database, 'select * from tokens order by created_at, rowid'),
  insert: database.prepare(
    `insert into tokens (id, name, digest, role, scope, created_at, created_by, expires_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  revoke: database.prepare('update tokens set revoked_at = ? where id = ? and revoked_at is null'),
  touch: database.prepare('update tokens set last_used_at = ? where id = ?'),
  remove: database.prepare('delete from tokens where id = ?'),
})

interface TokenRow {
  readonly id: TokenId
  readonly name: string
  readonly digest: string
  readonly role: string
  /** JSON. */
  readonly scope: string | null
  readonly created_at: Instant
  readonly created_by: string
  readonly expires_at: Instant | null
  readonly last_used_at: Instant | null
  readonly revoked_at: Instant | null
}

/** @throws AegisError `unavailable` / `store.corrupt`: what cannot be read permits nothing */
function toToken(row: TokenRow, path: string): StoredToken {
  return {
    id: row.id,
    name: row.name,
    digest: row.digest,
    role: roleOf(row, path),
    ...(row.scope !== null && { scope: scopeOf(row.scope, row, path) }),
    createdAt: row.created_at,
    createdBy: row.created_by,
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    ...(row.last_used_at !== null && { lastUsedAt: row.last_used_at }),
    ...(row.revoked_at !== null && { revokedAt: row.revoked_at }),
  }
}

function roleOf({ role, id }: TokenRow, path: string): Role {
  if (isRole(role)) return role
  throw storeCorrupt(path, `the role of token ${id}`)
}

function scopeOf(text: string, { id }: TokenRow, path: string): Scope {
  try {
    return scopeSchema.parse(JSON.parse(text))
  } catch (cause) {
    if (cause instanceof AegisError) throw cause
    throw storeCorrupt(path, `the scope of token ${id}`, cause)
  }
}
