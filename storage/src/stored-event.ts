import {
  AegisError,
  type DomainEvent,
  isAgentEvent,
  isExecutionEvent,
  type RecordedEvent,
  type StreamId,
} from '@aegis/core'
import { storeCorrupt } from './sqlite-error.ts'

/** A row of `events` without its stream, which the reader named. */
export interface StoredEvent {
  readonly position: number
  readonly version: number
  readonly type: string
  readonly at: string
  readonly body: string
}

/** What goes into the column `body`: `type` and `at` have columns of their own. */
export function storedBody({ type, at, ...body }: DomainEvent): string {
  return JSON.stringify(body)
}

/**
 * The event of a row. Rows are our own, so only what tells a damaged or a newer database is checked.
 * @throws AegisError `unsupported` / `store.event-unknown` · `unavailable` / `store.corrupt`
 */
export function toRecordedEvent(row: StoredEvent, stream: StreamId, path: string): RecordedEvent {
  const { position, version, type, at } = row
  const event: DomainEvent = { type, at, ...parseObject(row.body, path, `event ${position}`) }
  if (!isAgentEvent(event) && !isExecutionEvent(event)) throw unknownEvent(type, stream, path)
  return { position, stream, version, event }
}

/** JSON from a column. @throws AegisError `unavailable` / `store.corrupt` */
export function parseObject(text: string, path: string, where: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
    throw new TypeError('not an object')
  } catch (error) {
    throw storeCorrupt(path, where, error)
  }
}

const unknownEvent = (type: string, stream: StreamId, path: string): AegisError =>
  new AegisError(
    'unsupported',
    'store.event-unknown',
    `${path} holds an event "${type}" in ${stream}, which this version of AEGIS does not know. Install the version that wrote it, or a newer one.`,
    { details: { path, stream, type } },
  )
