import type { SandboxControl } from '@aegis/core'
import { type SandboxLook, type SandboxUsage, usageOf } from './sandbox-usage.ts'

export interface WatchSandboxesOptions {
  readonly sandboxes: Pick<SandboxControl, 'list'>
  readonly intervalMs: number
  readonly once: boolean
  readonly monotonicMs: () => number
  /** Rejects when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** A share of the processor takes two looks; the first is shown this soon. */
const firstLookMs = 250

/** What each sandbox uses, once every interval, until the signal is aborted. */
export async function* watchSandboxes(
  { sandboxes, intervalMs, once, monotonicMs, sleep }: WatchSandboxesOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly SandboxUsage[]> {
  const look = async (): Promise<SandboxLook> => {
    const found = await sandboxes.list(signal)
    return { atMs: monotonicMs(), sandboxes: found }
  }
  let before = await look()
  await sleep(Math.min(firstLookMs, intervalMs), signal)
  for (;;) {
    const now = await look()
    yield usageOf(before, now)
    if (once) return
    before = now
    await sleep(intervalMs, signal)
  }
}
