import type { DatabaseSync } from 'node:sqlite'
import { Kysely, SqliteAdapter, type SqliteDatabase, SqliteDialect } from 'kysely'
import type { StoreTables } from './store-tables.ts'

/** Typed queries over an open database, which stays the caller's to close. */
export const makeQueryDatabase = (database: DatabaseSync): Kysely<StoreTables> =>
  new Kysely<StoreTables>({ dialect: new NodeSqliteDialect({ database: adapt(database) }) })

class NodeSqliteDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter()
  }
}

/** SQLite's DDL obeys transactions; a migration that a crash interrupts must leave no half. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

const adapt = (database: DatabaseSync): SqliteDatabase => ({
  close: () => undefined,
  prepare(sql) {
    const statement = database.prepare(sql)
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...parameters.map(bindable)),
      run: (parameters) => statement.run(...parameters.map(bindable)),
      iterate: (parameters) => statement.iterate(...parameters.map(bindable)),
    }
  },
})

function bindable(value: unknown): string | number | bigint | null | Uint8Array {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  if (typeof value === 'bigint' || value instanceof Uint8Array) return value
  throw new TypeError(`SQLite cannot hold a ${typeof value}`)
}
