import { AegisError } from '@aegis/core'
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { StoreTables } from './store-tables.ts'

/**
 * Brings the tables up to date, each step in a transaction of its own.
 * @throws AegisError `unsupported` / `store.newer` when a newer AEGIS has already been at work
 */
export async function migrate(database: Kysely<StoreTables>, path: string): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
  })
  await refuseNewer(database, path)
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}

/** In order of their names. A migration that was released is never edited: add another one. */
const migrations: Readonly<Record<string, Migration>> = {
  '0001-initial': {
    async up(database) {
      for (const statement of initial) await sql.raw(statement).execute(database)
    },
  },
  '0002-agent-image': {
    async up(database) {
      await sql`alter table agents add column image text`.execute(database)
    },
  },
  '0003-tokens': {
    async up(database) {
      for (const statement of tokens) await sql.raw(statement).execute(database)
    },
  },
  '0004-audit': {
    async up(database) {
      for (const statement of audit) await sql.raw(statement).execute(database)
    },
  },
}

const initial = [
  `create table events (
    position integer primary key autoincrement,
    stream text not null,
    version integer not null,
    type text not null,
    at text not null,
    body text not null,
    unique (stream, version)
  ) strict`,
  // Their ids only, so that a late append cannot bring a removed stream back to life.
  `create table removed_streams (stream text primary key) strict, without rowid`,
  `create table agents (
    id text primary key,
    name text not null,
    version text not null,
    description text not null,
    status text not null,
    labels text not null,
    revision integer not null,
    created_at text not null,
    updated_at text not null,
    execution_count integer not null
  ) strict, without rowid`,
  `create index agents_by_name on agents (name)`,
  `create index agents_paused on agents (id) where status = 'paused'`,
  `create table agent_revisions (
    agent_id text not null,
    revision integer not null,
    position integer not null,
    primary key (agent_id, revision)
  ) strict, without rowid`,
  `create table executions (
    position integer primary key,
    id text not null unique,
    agent_id text not null,
    agent_name text not null,
    agent_revision integer not null,
    status text not null,
    priority integer not null,
    isolation text not null,
    cpu_millicores integer not null,
    memory_bytes integer not null,
    queued_at text not null,
    started_at text,
    ended_at text,
    iterations integer not null,
    interruptions integer not null,
    prompt_tokens integer not null,
    completion_tokens integer not null,
    cost real not null,
    failure text
  ) strict`,
  `create index executions_by_agent on executions (agent_id, position)`,
  `create index executions_by_status on executions (status, position)`,
  // The queue. It holds only who waits, in the order of service, with all that the choice needs.
  `create index executions_waiting
    on executions (priority desc, position, agent_id) where status = 'queued'`,
]

const tokens = [
  `create table tokens (
    id text primary key,
    name text not null,
    digest text not null,
    role text not null,
    scope text,
    created_at text not null,
    created_by text not null,
    expires_at text,
    last_used_at text,
    revoked_at text
  ) strict`,
  `create unique index tokens_live on tokens (name) where revoked_at is null`,
]

const audit = [
  `create table audit_entries (
    idx integer primary key,
    at text not null,
    type text not null,
    actor text,
    agent_id text,
    execution_id text,
    body blob not null
  ) strict`,
  `create index audit_by_execution
    on audit_entries (execution_id, idx) where execution_id is not null`,
  // Apart from the bodies: they stay when those are dropped, and who moves a body moves no hash.
  `create table audit_hashes (
    level integer not null,
    idx integer not null,
    hash blob not null,
    primary key (level, idx)
  ) strict, without rowid`,
  `create table audit_checkpoints (
    size integer primary key,
    note text not null,
    key text not null
  ) strict`,
]

async function refuseNewer(database: Kysely<StoreTables>, path: string): Promise<void> {
  const [table] = await database.introspection
    .getTables({ withInternalKyselyTables: true })
    .then((tables) => tables.filter(({ name }) => name === 'migrations'))
  if (table === undefined) return
  const { rows } = await sql<{ name: string }>`select name from migrations`.execute(database)
  const unknown = rows.map(({ name }) => name).filter((name) => !Object.hasOwn(migrations, name))
  if (unknown.length === 0) return
  throw new AegisError(
    'unsupported',
    'store.newer',
    `${path} was written by a newer version of AEGIS (${unknown.join(', ')}). Install that version or a newer one, or restore a backup made with this one.`,
    { details: { path, unknown } },
  )
}
