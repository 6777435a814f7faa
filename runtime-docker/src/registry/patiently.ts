import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing } from './registry-fault.ts'
import { registryLimits } from './registry-limits.ts'

/** How faults that may pass are borne. */
export interface Patience {
  readonly attempts: number
  readonly backoffMs: number
  readonly stalledMs: number
}

export const defaultPatience: Patience = registryLimits

/** Tries again while the fault may pass. @throws what the last attempt threw */
export async function patiently<Result>(
  attempt: () => Promise<Result>,
  patience: Patience,
  signal: AbortSignal,
): Promise<Result> {
  for (let number = 1; ; number++) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (!isPassing(error) || number >= patience.attempts) throw error
    }
    await pause(patience, number, signal)
  }
}

/** Before the attempt after so many. */
export async function pause(
  { backoffMs }: Patience,
  attempts: number,
  signal: AbortSignal,
): Promise<void> {
  const longestMs = backoffMs * 2 ** (attempts - 1)
  await sleep(longestMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() =>
    signal.throwIfAborted(),
  )
}
