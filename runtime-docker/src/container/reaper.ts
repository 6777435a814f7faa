import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@aegis/core'
import type { EngineClient } from '../engine/engine-client.ts'
import { isUnreachable, refusalOf } from '../engine/engine-failure.ts'

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
  /** Tries all that is under way again at once; whether all is gone, after a bounded time. */
  settle(): Promise<boolean>
}

export interface ReaperOptions {
  readonly client: EngineClient
  readonly logger: Logger | undefined
  /** How long `remove` waits for an engine that answers, in milliseconds. Default 30,000. */
  readonly patienceMs?: number
  /** How long it waits for one that does not. Default 2,000. */
  readonly absencePatienceMs?: number
}

const firstPauseMs = 50
/** Told once, when it is no longer a matter of a moment. */
const tellingPauseMs = 64 * firstPauseMs
const longestPauseMs = 5000
const removalTimeoutMs = 60_000

export function makeReaper(options: ReaperOptions): Reaper {
  const { client, logger, patienceMs = 30_000, absencePatienceMs = 2000 } = options
  const stopping = new AbortController()
  const pending = new Set<Promise<void>>()
  let hurry = new AbortController()

  /** Tries until it is gone or nobody wants it any more. */
  const persist = async (leftover: Leftover, onAbsence: () => void): Promise<void> => {
    const { signal } = stopping
    const startedMs = performance.now()
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs *= 2) {
      try {
        return await remove(client, leftover, signal)
      } catch (err) {
        const lateMs = performance.now() - startedMs
        if (isUnreachable(err) && lateMs >= absencePatienceMs) onAbsence()
        if (pauseMs === tellingPauseMs && !signal.aborted)
          logger?.warn({ leftover, err }, 'cannot be removed from the engine yet')
      }
      const restMs = Math.min(pauseMs, longestPauseMs)
      const awake = AbortSignal.any([signal, hurry.signal])
      await delay(restMs, undefined, { signal: awake, ref: false }).catch(() => {})
    }
  }

  return {
    async remove(leftovers) {
      const absence = Promise.withResolvers<void>()
      const removeAll = async () => {
        for (const leftover of leftovers) await persist(leftover, absence.resolve)
      }
      const removing = removeAll().finally(() => void pending.delete(removing))
      pending.add(removing)
      await atMost(patienceMs, Promise.race([removing, absence.promise]))
    },
    async settle() {
      hurry.abort()
      hurry = new AbortController()
      await atMost(absencePatienceMs, Promise.all(pending))
      return pending.size === 0
    },
    async [Symbol.asyncDispose]() {
      await atMost(absencePatienceMs, Promise.all(pending))
      stopping.abort()
      await Promise.all(pending)
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
