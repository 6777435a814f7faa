import type { Clock } from '../kernel/clock.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import { openJournal } from './execution-journal.ts'
import { maxInterruptions } from './recover-executions.ts'

interface Deps {
  readonly events: EventStore
  readonly clock: Clock
  readonly logger: Logger
}

const firstPauseMs = 500
const maxPauseMs = 10_000

/**
 * Puts an execution whose run broke off, because the store failed under it, back into the queue as
 * soon as the store takes events again: a full disk ends nothing. Leaves early when `signal` is
 * aborted; then the next start of the node takes it up.
 */
export function makeReclaimExecution({ events, clock, logger }: Deps) {
  return async (id: ExecutionId, why: unknown, signal: AbortSignal): Promise<void> => {
    logger.error({ err: why, executionId: id }, 'a run broke off; it is taken up again')
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      await clock.sleep(pauseMs, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        const journal = await openJournal(events, id)
        await journal.decide({ type: 'recover', maxInterruptions, at: clock.now() })
        return
      } catch (error) {
        logger.debug({ err: error, executionId: id }, 'the store still fails')
      }
    }
  }
}
