import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import { openJournal } from './execution-journal.ts'
import { type LiveExecutions, StopReason } from './live-executions.ts'

interface Deps {
  readonly events: EventStore
  readonly live: LiveExecutions
  readonly clock: Clock
}

/**
 * Cancels what waits at once; has what runs stop its sandbox and waits until it has. A finished
 * execution is left as it is.
 */
export async function cancelExecution(deps: Deps, id: ExecutionId, reason?: string): Promise<void> {
  const { events, live, clock } = deps
  for (;;) {
    const run = live.find(id)
    if (run !== undefined) {
      run.abort(new StopReason('cancelled', reason))
      await run.left
    }
    try {
      // Also after a run, which may have left without being able to store its end.
      const journal = await openJournal(events, id)
      await journal.decide({ type: 'cancel', reason, at: clock.now() })
      return
    } catch (error) {
      // Its turn came while we wrote: now it runs, and is cancelled there.
      const overtaken = error instanceof AegisError && error.code === 'store.version'
      if (!overtaken) throw error
    }
  }
}
