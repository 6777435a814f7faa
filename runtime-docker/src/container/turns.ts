import { abortable } from '@aegis/sandbox'

/** Lets so many in at a time; the others wait in the order they came. */
export interface Turns {
  take(signal: AbortSignal): Promise<Disposable>
}

export function makeTurns(atOnce: number): Turns {
  let free = atOnce
  const waiting = new Set<() => void>()
  const giveBack = (): void => {
    const [next] = waiting
    if (next === undefined) free += 1
    else next()
  }

  const wait = async (signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const enter = (): void => {
      waiting.delete(enter)
      resolve()
    }
    waiting.add(enter)
    try {
      await abortable(promise, signal)
    } catch (error) {
      // Let in at the very moment it was no longer wanted: then it is the next one's turn.
      if (!waiting.delete(enter)) giveBack()
      throw error
    }
  }

  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) free -= 1
      else await wait(signal)
      let over = false
      return {
        [Symbol.dispose]() {
          if (!over) giveBack()
          over = true
        },
      }
    },
  }
}
