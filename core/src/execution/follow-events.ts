import type { VersionedEvent } from '../control-plane.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import { pageThrough } from '../kernel/page-through.ts'
import { isTerminalEvent } from './execution.ts'
import { executionEventOf, executionStream } from './execution-journal.ts'

/**
 * The events of an execution after a version, then, until the terminal one, those still to come:
 * each exactly once, in order. Ends early, without an error, when the signal is aborted.
 */
export async function* followExecution(
  events: Pick<EventStore, 'read' | 'subscribe'>,
  id: ExecutionId,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<VersionedEvent> {
  const stream = executionStream(id)
  using news = listen(events, (recorded) => recorded.some((one) => one.stream === stream), signal)
  let version = after
  while (!signal.aborted) {
    // Asked for before the read: what is committed during the read must wake the next round.
    const next = news.next()
    for await (const record of pageThrough(events, stream, version)) {
      version = record.version
      const event = executionEventOf(record)
      yield { version, event }
      if (isTerminalEvent(event.type) || signal.aborted) return
    }
    await next
  }
}

export interface News extends Disposable {
  /** Resolves at the next commit that matters, or when the signal is aborted. */
  next(): Promise<void>
}

/** Tells of commits without holding them: whoever is told reads the store. */
export function listen(
  events: Pick<EventStore, 'subscribe'>,
  matters: (recorded: Parameters<Parameters<EventStore['subscribe']>[0]>[0]) => boolean,
  signal: AbortSignal,
): News {
  let waiting: (() => void)[] = []
  const wake = (): void => {
    const woken = waiting
    waiting = []
    for (const resolve of woken) resolve()
  }
  const subscription = events.subscribe((recorded) => {
    if (matters(recorded)) wake()
  })
  signal.addEventListener('abort', wake)
  return {
    next: () =>
      signal.aborted ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve)),
    [Symbol.dispose]() {
      subscription[Symbol.dispose]()
      signal.removeEventListener('abort', wake)
    },
  }
}
