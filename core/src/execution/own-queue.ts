import type { EventStore } from '../kernel/event-store.ts'
import { type ExecutionId, executionId } from '../kernel/ids.ts'
import { isTerminalEvent } from './execution.ts'
import { executionEventOf } from './execution-journal.ts'
import type { ExecutionQueries, QueuedExecution } from './execution-queries.ts'

/**
 * The queue as a node sees it that runs only what was queued through it: a command without a
 * daemon must not begin other work which its own end would break off.
 */
export function makeOwnQueue(
  events: Pick<EventStore, 'subscribe'>,
): Pick<ExecutionQueries, 'nextQueued'> & Disposable {
  const own = new Map<ExecutionId, QueuedExecution>()
  const waiting = new Map<ExecutionId, QueuedExecution>()
  const subscription = events.subscribe((recorded) => {
    for (const record of recorded) {
      const event = executionEventOf(record)
      const id = executionId(record.stream.slice('execution-'.length))
      if (event.type === 'execution.queued') own.set(id, { ...event, id })
      const mine = own.get(id)
      // Interrupted: its run broke off when the store failed.
      const waits = event.type === 'execution.queued' || event.type === 'execution.interrupted'
      if (waits && mine !== undefined) waiting.set(id, mine)
      else waiting.delete(id)
      if (isTerminalEvent(event.type)) own.delete(id)
    }
  })
  return {
    nextQueued: async (limit, except) =>
      [...waiting.values()]
        .filter(({ id }) => !except.has(id))
        .toSorted((a, b) => b.priority - a.priority)
        .slice(0, limit),
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  }
}
