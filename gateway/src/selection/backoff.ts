import { limits } from '../limits.ts'

export interface BackoffOptions {
  /** Longest wait after the first failed attempt; it doubles with each further one. */
  readonly baseMs: number
  readonly capMs?: number
  /** 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number
}

/**
 * How long to wait after failed attempt number `attempt` (from 1): exponential with full jitter,
 * and never less than the provider asked for. `undefined`: it asked for longer than the cap, so
 * asking again is pointless.
 */
export function backoffMs(
  attempt: number,
  retryAfterMs: number | undefined,
  { baseMs, capMs = limits.backoffMs, random }: BackoffOptions,
): number | undefined {
  if (retryAfterMs !== undefined && retryAfterMs > capMs) return undefined
  const ceiling = Math.min(capMs, baseMs * 2 ** (attempt - 1))
  return Math.max(random() * ceiling, retryAfterMs ?? 0)
}
