import type { EventStore, RecordedEvent, StreamId } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import { pageThrough } from '../kernel/page-through.ts'
import { type Execution, type ExecutionCommand, execution } from './execution.ts'
import type { ExecutionEvent } from './execution-event.ts'

export const executionStream = (id: ExecutionId): StreamId => `execution-${id}`

/** An execution's stream holds nothing but its events: the store checks each row it reads. */
export const executionEventOf = ({ event }: RecordedEvent): ExecutionEvent =>
  event as ExecutionEvent

/**
 * The single writer of one execution's stream. Events are appended in the order of the calls;
 * those that arrive while an append is under way share the next one. After a failed append the
 * journal is broken and every later call rejects with the same error.
 */
export interface ExecutionJournal {
  readonly state: Execution
  /** Decides on the state that all earlier calls lead to. Durable when it resolves. */
  decide(command: ExecutionCommand): Promise<readonly ExecutionEvent[]>
  /** Notes a fact that changes no decision. Durable when it resolves. */
  note(event: ExecutionEvent): Promise<void>
  /** Notes a fact that may wait: it is stored together with what follows, and never without it. */
  hold(event: ExecutionEvent): void
}

/** Opens the journal of an execution; reads its whole stream once. */
export async function openJournal(events: EventStore, id: ExecutionId): Promise<ExecutionJournal> {
  const stream = executionStream(id)
  let state = execution.initial
  let version = 0
  for await (const record of pageThrough(events, stream)) {
    state = execution.evolve(state, executionEventOf(record))
    version = record.version
  }
  let waiting: ExecutionEvent[] = []
  let flushes = false
  let flushed = Promise.resolve()
  let broken: { readonly error: unknown } | undefined

  const flush = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    flushes = false
    try {
      await events.append({ stream, expectedVersion: version, events: batch })
    } catch (error) {
      broken = { error }
      throw error
    }
    version += batch.length
  }

  const enqueue = (more: readonly ExecutionEvent[]): Promise<void> => {
    state = more.reduce(execution.evolve, state)
    // One flush waits behind the one under way and takes along whatever has gathered by then.
    if (!flushes) flushed = flushed.then(flush)
    flushes = true
    waiting.push(...more)
    return flushed
  }

  return {
    get state() {
      return state
    },
    async decide(command) {
      // By now the state tells what was never stored.
      if (broken !== undefined) throw broken.error
      const decided = execution.decide(state, command)
      if (decided.length > 0) await enqueue(decided)
      return decided
    },
    note: (event) => enqueue([event]),
    hold: (event) => void waiting.push(event),
  }
}
