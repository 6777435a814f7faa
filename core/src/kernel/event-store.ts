import { AegisError } from './aegis-error.ts'
import type { Instant } from './clock.ts'

/** Names one stream of events: `agent-<id>` or `execution-<id>`. */
export type StreamId = `agent-${string}` | `execution-${string}`

export interface DomainEvent {
  readonly type: string
  readonly at: Instant
}

export interface RecordedEvent<E extends DomainEvent = DomainEvent> {
  /** Position in the whole store: strictly increasing in commit order, not necessarily gapless. */
  readonly position: number
  readonly stream: StreamId
  /** Version inside the stream: 1, 2, 3 … without a gap. */
  readonly version: number
  readonly event: E
}

export interface AppendRequest<E extends DomainEvent = DomainEvent> {
  readonly stream: StreamId
  /** The version the caller decided upon: 0 for a new stream. */
  readonly expectedVersion: number
  readonly events: readonly E[]
}

/**
 * The truth. Events are appended, never edited; projections (lists, queue) are updated in the same
 * transaction, so that a reader who sees an event sees its effect.
 *
 * `append` resolves only when the events are durable (survive power loss); concurrent appends may
 * share one commit. When it rejects, nothing was stored.
 */
export interface EventStore {
  /**
   * @throws AegisError `conflict` / `store.version` when the stream is not at `expectedVersion`
   * @throws AegisError `not-found` / `store.removed` when the stream was removed
   */
  append(request: AppendRequest): Promise<readonly RecordedEvent[]>
  /** The stream's events after `afterVersion`, oldest first, at most `limit`. Empty when absent. */
  read(stream: StreamId, afterVersion?: number, limit?: number): Promise<readonly RecordedEvent[]>
  /** Calls `listener` after each commit, in commit order, with what was committed. */
  subscribe(listener: (events: readonly RecordedEvent[]) => void): Disposable
  /** Deletes a stream with its projections and outputs, for good. Repeatable. */
  remove(stream: StreamId): Promise<void>
}

/** Which agent or execution a stream tells of. */
export const streamSubject = (
  stream: StreamId,
): { readonly kind: 'agent' | 'execution'; readonly id: string } =>
  stream.startsWith('agent-')
    ? { kind: 'agent', id: stream.slice('agent-'.length) }
    : { kind: 'execution', id: stream.slice('execution-'.length) }

/** The `conflict` of an append: somebody else was first. */
export const versionConflict = (stream: StreamId, expected: number, actual: number): AegisError =>
  new AegisError(
    'conflict',
    'store.version',
    `${stream} is at version ${actual}, not at ${expected}: read it again and decide anew`,
    { details: { stream, expected, actual } },
  )

/** The `not-found` of an append to a stream that was removed. */
export const streamRemoved = (stream: StreamId): AegisError =>
  new AegisError('not-found', 'store.removed', `${stream} was removed`, { details: { stream } })
