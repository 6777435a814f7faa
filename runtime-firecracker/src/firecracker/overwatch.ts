import { setTimeout as delay } from 'node:timers/promises'

export interface Overwatch extends Disposable {
  /** Resolves with the reason when the watched one did not answer; never rejects. */
  readonly lost: Promise<string>
}

export interface OverwatchOptions {
  readonly everyMs: number
  /** How often in a row it may fail to answer before it is lost. */
  readonly misses: number
}

/** Asks again and again, and tells when nothing answers any more. Disposing ends it. */
export function watchOver(
  ask: (signal: AbortSignal) => Promise<unknown>,
  { everyMs, misses }: OverwatchOptions,
): Overwatch {
  const over = new AbortController()
  const { signal } = over
  const lost = Promise.withResolvers<string>()
  const watch = async (): Promise<void> => {
    for (let missed = 0; missed < misses; ) {
      // Unreferenced: a watch keeps no daemon alive.
      await delay(everyMs, undefined, { signal, ref: false })
      const because = await ask(signal).then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      signal.throwIfAborted()
      missed = because === undefined ? 0 : missed + 1
      if (missed === misses && because !== undefined) lost.resolve(because)
    }
  }
  // Aborted: nobody wants to know any more.
  void watch().catch(() => {})
  return { lost: lost.promise, [Symbol.dispose]: () => over.abort() }
}
