import type { DatabaseSync } from 'node:sqlite'
import {
  type AppendRequest,
  type EventStore,
  type Logger,
  type RecordedEvent,
  type StreamId,
  streamRemoved,
  versionConflict,
} from '@aegis/core'
import { makeGroupCommit } from './group-commit.ts'
import { prepared } from './prepared.ts'
import { makeProjector } from './projector.ts'
import { awaiting, storeClosed, translating } from './sqlite-error.ts'
import { type StoredEvent, storedBody, toRecordedEvent } from './stored-event.ts'

export interface SqliteEventStore extends EventStore {
  /** Commits what was asked for and takes no more. */
  close(): void
}

export interface SqliteEventStoreDeps {
  readonly database: DatabaseSync
  /** For messages. */
  readonly path: string
  readonly logger: Logger | undefined
}

/** The events, and the projections in step with them. */
export function makeSqliteEventStore({
  database,
  path,
  logger,
}: SqliteEventStoreDeps): SqliteEventStore {
  const listeners = new Set<Listener>()
  const projector = makeProjector(database, path)
  const statements = prepare(database)
  let closed = false

  const group = makeGroupCommit<readonly RecordedEvent[]>(database, (results) => {
    const committed = results.flat()
    if (committed.length === 0) return
    for (const listener of [...listeners]) {
      try {
        listener(committed)
      } catch (error) {
        logger?.error({ err: error }, 'a subscriber of the event store failed')
      }
    }
  })

  const submit = async (work: () => readonly RecordedEvent[]) => {
    if (closed) throw storeClosed(path)
    return awaiting(path, group.submit(work))
  }

  const append = (request: AppendRequest, bodies: readonly string[]): readonly RecordedEvent[] => {
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
    projector.apply(stream, recorded)
    return recorded
  }

  const remove = (stream: StreamId): readonly RecordedEvent[] => {
    if (statements.version.get(stream) === undefined) return []
    statements.removeEvents.run(stream)
    statements.markRemoved.run(stream)
    projector.remove(stream)
    return []
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
    close() {
      if (closed) return
      closed = true
      group.flush()
    },
  }
}

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
