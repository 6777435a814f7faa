import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'

/** How long an engine may be away, as when it is restarted, before what needs it fails. */
const patienceMs = 30_000

const pauseMs = 500

/**
 * Tries again while the container engine cannot be reached, so that a short absence does not fail
 * all that is queued. What is tried must leave nothing behind when it fails.
 * @throws what the last try throws · the reason of `signal`
 */
export async function awaitEngine<Done>(
  clock: Clock,
  attempt: () => Promise<Done>,
  signal: AbortSignal,
): Promise<Done> {
  const untilMs = clock.monotonicMs() + patienceMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (!isAway(error) || clock.monotonicMs() >= untilMs) throw error
    }
    await clock.sleep(pauseMs, signal)
  }
}

/** Also where a failed boot says so of its cause. */
function isAway(error: unknown): boolean {
  if (!(error instanceof AegisError)) return false
  return error.code === 'engine.unreachable' || isAway(error.cause)
}
