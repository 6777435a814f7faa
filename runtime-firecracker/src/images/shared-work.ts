import { abortable } from '@aegis/sandbox'

/** Lets all who want the same thing at the same time wait for one making of it. */
export interface SharedWork<Progress, Result> extends AsyncDisposable {
  /** Ends the work when it is cancelled and nobody else waits for it. */
  join(
    key: string,
    work: (tell: (progress: Progress) => void, signal: AbortSignal) => Promise<Result>,
    tell: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Result>
}

interface Running<Progress, Result> {
  readonly result: Promise<Result>
  readonly listeners: Set<(progress: Progress) => void>
  readonly controller: AbortController
}

/** Works of so many keys go on at once; the others wait in the order in which they came. */
export function makeSharedWork<Progress, Result>(atOnce: number): SharedWork<Progress, Result> {
  const running = new Map<string, Running<Progress, Result>>()
  const ending = new Set<Promise<unknown>>()
  const waiting: (() => void)[] = []
  let free = atOnce

  const takeTurn = async () => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const leave = () => {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }

  const begin = (
    key: string,
    work: (tell: (progress: Progress) => void, signal: AbortSignal) => Promise<Result>,
  ): Running<Progress, Result> => {
    const controller = new AbortController()
    const listeners = new Set<(progress: Progress) => void>()
    const tell = (progress: Progress) => {
      for (const listener of listeners) listener(progress)
    }
    const result = takeTurn()
      .then(() => {
        controller.signal.throwIfAborted()
        return work(tell, controller.signal)
      })
      .finally(leave)
    const started = { result, listeners, controller }
    running.set(key, started)
    const ended = result
      .catch(() => undefined)
      .finally(() => {
        if (running.get(key) === started) running.delete(key)
        ending.delete(ended)
      })
    ending.add(ended)
    return started
  }

  return {
    async join(key, work, tell, signal) {
      signal.throwIfAborted()
      const { result, listeners, controller } = running.get(key) ?? begin(key, work)
      // A function of its own, since two may tell the same one.
      const listener = (progress: Progress) => tell(progress)
      listeners.add(listener)
      try {
        return await abortable(result, signal)
      } finally {
        listeners.delete(listener)
        if (listeners.size === 0) {
          if (running.get(key)?.controller === controller) running.delete(key)
          controller.abort()
        }
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { controller } of running.values()) controller.abort()
      await Promise.all(ending)
    },
  }
}
