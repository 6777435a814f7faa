import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@aegis/core'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'

/** Something on the engine, by its name. */
export interface Leftover {
  readonly kind: 'container' | 'volume'
  readonly name: string
}

/** Removes things from the engine, however long that takes. */
export interface Reaper extends AsyncDisposable {
  /**
   * Removes in the order given. Resolves when all are gone, or after a bounded time; then it goes on
   * behind. Never rejects.
   */
  remove(leftovers: readonly Leftover[]): Promise<void>
  /** How many removals are under way. */
  readonly pending: number
}

export interface ReaperOptions {
  readonly client: EngineClient
  readonly logger: Logger | undefined
  /** How long `remove` and the end wait for an engine that is away, in milliseconds. */
  readonly patienceMs?: number
}

const firstPauseMs = 50
const longestPauseMs = 5000
const removalTimeoutMs = 60_000

export function makeReaper({ client, logger, patienceMs = 10_000 }: ReaperOptions): Reaper {
  const stopping = new AbortController()
  const pending = new Set<Promise<void>>()

  const removeAll = async (leftovers: readonly Leftover[]): Promise<void> => {
    for (const leftover of leftovers) await persist(leftover)
  }

  const persist = async (leftover: Leftover): Promise<void> => {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        return await remove(client, leftover, stopping.signal)
      } catch (error) {
        if (stopping.signal.aborted) return
        if (pauseMs === longestPauseMs)
          logger?.warn({ leftover, err: error }, 'cannot be removed from the engine yet')
      }
      await delay(pauseMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {})
      if (stopping.signal.aborted) return
    }
  }

  return {
    get pending() {
      return pending.size
    },
    async remove(leftovers) {
      const removing = removeAll(leftovers).finally(() => void pending.delete(removing))
      pending.add(removing)
      await atMost(patienceMs, removing)
    },
    async [Symbol.asyncDispose]() {
      await atMost(patienceMs, Promise.all(pending))
      stopping.abort()
    },
  }
}

/** Resolves when it is gone; quietly fine when it has been. */
async function remove(
  client: EngineClient,
  { kind, name }: Leftover,
  signal: AbortSignal,
): Promise<void> {
  const path = `/${kind}s/${name}`
  const query = kind === 'container' ? { force: 'true', v: 'true' } : { force: 'true' }
  try {
    await client.run({ method: 'DELETE', path, query, timeoutMs: removalTimeoutMs }, signal)
  } catch (error) {
    const status = refusalOf(error)?.status
    if (status === 404) return
    // The engine already removes it, since it has ended: that must be over, too.
    if (status === 409 && kind === 'container') return untilRemoved(client, name, signal)
    throw error
  }
}

async function untilRemoved(
  client: EngineClient,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const path = `/containers/${name}/wait`
  const query = { condition: 'removed' }
  try {
    await client.run({ method: 'POST', path, query, timeoutMs: removalTimeoutMs }, signal)
  } catch (error) {
    if (refusalOf(error)?.status !== 404) throw error
  }
}

async function atMost(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  const timeout = delay(timeoutMs, undefined, { signal: over.signal }).catch(() => {})
  await Promise.race([promise, timeout])
  over.abort()
}
