import type {
  AgentQueries,
  EventStore,
  ExecutionQueries,
  Logger,
  TokenRepository,
} from '@aegis/core'
import { migrate } from './migrations.ts'
import { openDatabase } from './open-database.ts'
import { makeQueryDatabase } from './query-database.ts'
import { makeSqliteAgentQueries } from './sqlite-agent-queries.ts'
import { translateSqliteError } from './sqlite-error.ts'
import { makeSqliteEventStore } from './sqlite-event-store.ts'
import { makeSqliteExecutionQueries } from './sqlite-execution-queries.ts'
import { makeSqliteTokens } from './sqlite-tokens.ts'

/** The stores of one node. Disposing it commits what was asked for and closes the file. */
export interface Store extends AsyncDisposable {
  readonly events: EventStore
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  readonly tokens: TokenRepository
}

export interface SqliteStoreOptions {
  /** The database file; its folder must exist. `-wal` beside it is part of it. */
  readonly path: string
  readonly logger?: Logger
}

/**
 * Opens the store in a file of its own, for this process alone, and brings its tables up to date.
 * @throws AegisError `conflict` / `home.locked` another process has it open · `unavailable` /
 * `store.corrupt` · `unsupported` / `store.newer`, `store.foreign` · `unavailable` /
 * `store.unopenable`, `store.unwritable`, `store.io` · `exhausted` / `store.full`
 */
export async function openSqliteStore({ path, logger }: SqliteStoreOptions): Promise<Store> {
  try {
    const database = openDatabase(path)
    try {
      const tables = makeQueryDatabase(database)
      await migrate(tables, path)
      const events = makeSqliteEventStore({ database, path, logger })
      return {
        events,
        agents: makeSqliteAgentQueries({ database, tables, path }),
        executions: makeSqliteExecutionQueries({ database, tables, path }),
        tokens: makeSqliteTokens(database, path),
        async [Symbol.asyncDispose]() {
          if (!database.isOpen) return
          events.close()
          // Closing also folds the -wal into the file and deletes it.
          database.close()
        },
      }
    } catch (error) {
      database.close()
      throw error
    }
  } catch (error) {
    throw translateSqliteError(error, path)
  }
}
