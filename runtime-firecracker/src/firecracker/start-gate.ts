import { abortable } from '@aegis/sandbox'

/** Lets so many through at a time; the others wait in the order in which they came. */
export interface StartGate {
  /** Disposing what it gives lets the next one through. */
  enter(signal: AbortSignal): Promise<Disposable>
}

export function makeStartGate(atOnce: number): StartGate {
  const waiting: (() => void)[] = []
  let free = atOnce
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }
  return {
    async enter(signal) {
      signal.throwIfAborted()
      if (free > 0) free--
      else {
        const turn = Promise.withResolvers<void>()
        waiting.push(turn.resolve)
        await abortable(turn.promise, signal, () => {
          const place = waiting.indexOf(turn.resolve)
          if (place >= 0) waiting.splice(place, 1)
          // It was this one's turn just when it gave up.
          else leave()
        })
      }
      let left = false
      return {
        [Symbol.dispose]() {
          if (!left) leave()
          left = true
        },
      }
    },
  }
}
