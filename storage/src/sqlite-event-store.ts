import type { DatabaseSync } from 'node:sqlite'
import {
  type AppendRequest,
  type EventStore,
  isAgentEvent,
  isExecutionEvent,
  type Logger,
  type RecordedEvent,
  type StreamId,
  streamRemoved,
  streamSubject,
  versionConflict,
} from '@aegis/core'
import type { AuditOf, StoredEntry } from '@aegis/core/audit'
import { type AuditWriter, type NewEntry, newEntry } from './audit-writer.ts'
import { makeGroupCommit } from './group-commit.ts'
import { prepared } from './prepared.ts'
import { makeProjector } from './projector.ts'
import { awaiting, storeClosed, translating } from './sqlite-error.ts'
import { type StoredEvent, storedBody, toRecordedEvent } from './stored-event.ts'

export interface SqliteEventStore extends EventStore {
  /** Does the work in the next shared transaction and then appends the entries that it returns. */
  audit(work: () => readonly NewEntry[]): Promise<void>
  /** Commits what was asked for and takes no more. */
  close(): void
}

export interface SqliteEventStoreDeps {
  readonly database: DatabaseSync
  /** For messages. */
  readonly path: string
  readonly logger: Logger | undefined
  readonly auditOf: AuditOf
  readonly writer: AuditWriter
  /** Hears of the audit's entries after each commit. */
  readonly onAudited: (entries: readonly StoredEntry[]) => void
}

/** The events, and in step with them the projections and the audit. */
export function makeSqliteEventStore(deps: SqliteEventStoreDeps): SqliteEventStore {
  const { database, path, logger, auditOf, writer } = deps
  const listeners = new Set<Listener>()
  const projector = makeProjector(database, path)
  const statements = prepare(database)
  let closed = false

  const tell = (committed: readonly RecordedEvent[]): void => {
    if (committed.length === 0) return
    for (const listener of [...listeners]) {
      try {
        listener(committed)
      } catch (error) {
        logger?.error({ err: error }, 'a subscriber of the event store failed')
      }
    }
  }

  const group = makeGroupCommit<Outcome>(database, {
    seal: (outcomes) => writer.seal(outcomes.flatMap(({ entries }) => entries)),
    committed(outcomes) {
      deps.onAudited(writer.committed())
      tell(outcomes.flatMap(({ recorded }) => recorded))
    },
    abandoned: () => writer.abandoned(),
  })

  const submit = async (work: () => Outcome): Promise<readonly RecordedEvent[]> => {
    if (closed) throw storeClosed(path)
    const { recorded } = await awaiting(path, group.submit(work))
    return recorded
  }

  const append = (request: AppendRequest, bodies: readonly string[]): Outcome => {
    const { stream, expectedVersion, events } = request
    const version = statements.version.get(stream)?.version ?? 0
    if (version === 0 && statements.isRemoved.get(stream)) throw streamRemoved(stream)
    if (version !== expectedVersion) throw versionConflict(stream, expectedVersion, version)
    const recorded = events.map((event, index): RecordedEvent => {
      const version = expectedVersion + index + 1
      const body = bodies[index] ?? ''
      const { lastInsertRowid } = statements.insert.run(stream, version, event.type, event.at, body)
      return { position: Number(lastInsertRowid), stream, version, event }
    })
    const agentId = projector.apply(stream, recorded)
    const { kind, id } = streamSubject(stream)
    const subject = { agentId, executionId: kind === 'execution' ? id : undefined }
    const entries = events.flatMap((event) => {
      const entry =
        isAgentEvent(event) || isExecutionEvent(event) ? auditOf(event, subject) : undefined
      return entry === undefined ? [] : [newEntry(entry)]
    })
    return { recorded, entries }
  }

  /** What the audit holds of it stays. */
  const remove = (stream: StreamId): Outcome => {
    if (statements.version.get(stream) === undefined) return nothing
    statements.removeEvents.run(stream)
    statements.markRemoved.run(stream)
    projector.remove(stream)
    return nothing
  }

  return {
    async append(request) {
      const bodies = request.events.map(storedBody)
      return submit(() => append(request, bodies))
    },
    async read(stream, afterVersion = 0, limit = -1) {
      const rows = translating(path, () => statements.read.all(stream, afterVersion, limit))
      return rows.map((row) => toRecordedEvent(row, stream, path))
    },
    subscribe(listener) {
      // A wrapper of its own, so that the same function may subscribe twice.
      const entry: Listener = (committed) => listener(committed)
      listeners.add(entry)
      return {
        [Symbol.dispose]() {
          listeners.delete(entry)
        },
      }
    },
    async remove(stream) {
      await submit(() => remove(stream))
    },
    async audit(work) {
      await submit(() => ({ recorded: [], entries: work() }))
    },
    close() {
      if (closed) return
      closed = true
      group.flush()
    },
  }
}

/** What a piece of work stored, and what the audit is to hold of it. */
interface Outcome {
  readonly recorded: readonly RecordedEvent[]
  readonly entries: readonly NewEntry[]
}

const nothing: Outcome = { recorded: [], entries: [] }

type Listener = (events: readonly RecordedEvent[]) => void

const prepare = (database: DatabaseSync) => ({
  version: prepared<{ readonly version: number }>(
    database,
    'select version from events where stream = ? order by version desc limit 1',
  ),
  isRemoved: prepared<object>(database, 'select 1 from removed_streams where stream = ?'),
  insert: database.prepare(
    'insert into events (stream, version, type, at, body) values (?, ?, ?, ?, ?)',
  ),
  read: prepared<StoredEvent>(
    database,
    `select position, version, type, at, body from events
     where stream = ? and version > ? order by version limit ?`,
  ),
  removeEvents: database.prepare('delete from events where stream = ?'),
  markRemoved: database.prepare('insert into removed_streams (stream) values (?)'),
})
