import type { Clock } from '../kernel/clock.ts'
import type { EventStore } from '../kernel/event-store.ts'
import { openJournal } from './execution-journal.ts'
import type { ExecutionQueries } from './execution-queries.ts'

interface Deps {
  readonly events: EventStore
  readonly executions: Pick<ExecutionQueries, 'running'>
  readonly clock: Clock
}

/** After this many interruptions an execution is suspected of being their cause. */
export const maxInterruptions = 10

/**
 * Puts what a dead daemon left as running back into the queue, or to its end where it was to be
 * cancelled or was interrupted too often. Run it once, before the scheduler starts.
 */
export async function recoverExecutions({ events, executions, clock }: Deps): Promise<number> {
  const orphans = await executions.running()
  for (const id of orphans) {
    const journal = await openJournal(events, id)
    await journal.decide({ type: 'recover', maxInterruptions, at: clock.now() })
  }
  return orphans.length
}
