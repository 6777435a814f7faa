import type {
  AgentQueries,
  EventStore,
  ExecutionQueries,
  Logger,
  TokenRepository,
} from '@aegis/core'
import { type AuditStore, makeAuditOf } from '@aegis/core/audit'
import { makeAuditWriter } from './audit-writer.ts'
import { migrate } from './migrations.ts'
import { openDatabase } from './open-database.ts'
import { makeQueryDatabase } from './query-database.ts'
import { sha256 } from './sha256.ts'
import { makeSqliteAgentQueries } from './sqlite-agent-queries.ts'
import { makeSqliteAuditStore } from './sqlite-audit-store.ts'
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
  readonly audit: AuditStore
}

export interface SqliteStoreOptions {
  /** The database file; its folder must exist. `-wal` beside it is part of it. */
  readonly path: string
  readonly logger?: Logger
  /** Keep the texts of prompts and answers in the audit, not only their hashes. */
  readonly auditTexts?: boolean
}

/**
 * Opens the store in a file of its own, for this process alone, and brings its tables up to date.
 * @throws AegisError `conflict` / `home.locked` another process has it open · `unavailable` /
 * `store.corrupt` · `unsupported` / `store.newer`, `store.foreign` · `unavailable` /
 * `store.unopenable`, `store.unwritable`, `store.io` · `exhausted` / `store.full`
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, logger, auditTexts = false } = options
  try {
    const database = openDatabase(path)
    try {
      const tables = makeQueryDatabase(database)
      await migrate(tables, path)
      const writer = makeAuditWriter(database, path)
      const events = makeSqliteEventStore({
        database,
        path,
        logger,
        writer,
        auditOf: makeAuditOf({ sha256, texts: auditTexts }),
        onAudited: (entries) => audit.tell(entries),
      })
      const submit = events.audit
      const audit = makeSqliteAuditStore({ database, path, logger, writer, submit })
      return {
        events,
        audit,
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
