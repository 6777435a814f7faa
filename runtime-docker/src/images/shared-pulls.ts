import type { PullProgress } from '@aegis/core'
import { abortable } from '@aegis/sandbox'

type Tell = (progress: PullProgress) => void

/** Lets all who want the same thing at the same time wait for one pull of it. */
export interface SharedPulls<Result> extends AsyncDisposable {
  /** Ends the pull when it is cancelled and nobody else waits for it. */
  join(key: string, tell: Tell, signal: AbortSignal): Promise<Result>
}

interface SharedPull<Result> {
  readonly result: Promise<Result>
  readonly listeners: Set<Tell>
  readonly controller: AbortController
  latest: PullProgress | undefined
}

export function makeSharedPulls<Result>(
  pull: (key: string, tell: Tell, signal: AbortSignal) => Promise<Result>,
): SharedPulls<Result> {
  const running = new Map<string, SharedPull<Result>>()
  const ending = new Set<Promise<unknown>>()

  const begin = (key: string): SharedPull<Result> => {
    const controller = new AbortController()
    const listeners = new Set<Tell>()
    const tell = (progress: PullProgress): void => {
      shared.latest = progress
      for (const listener of listeners) listener(progress)
    }
    const result = Promise.resolve().then(() => pull(key, tell, controller.signal))
    const shared: SharedPull<Result> = { result, listeners, controller, latest: undefined }
    running.set(key, shared)
    const ended = result
      .catch(() => undefined)
      .finally(() => {
        leave(key, shared)
        ending.delete(ended)
      })
    ending.add(ended)
    return shared
  }
  /** The next who asks begins anew. */
  const leave = (key: string, shared: SharedPull<Result>): void => {
    if (running.get(key) === shared) running.delete(key)
  }

  return {
    async join(key, tell, signal) {
      signal.throwIfAborted()
      const shared = running.get(key) ?? begin(key)
      const deafened = Promise.withResolvers<never>()
      const listener: Tell = (progress) => {
        try {
          tell(progress)
        } catch (error) {
          // Of no concern to the others who wait.
          deafened.reject(error)
        }
      }
      shared.listeners.add(listener)
      try {
        if (shared.latest !== undefined) listener(shared.latest)
        return await abortable(Promise.race([shared.result, deafened.promise]), signal)
      } finally {
        shared.listeners.delete(listener)
        if (shared.listeners.size === 0) {
          leave(key, shared)
          shared.controller.abort()
        }
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { controller } of running.values()) controller.abort()
      await Promise.all(ending)
    },
  }
}
