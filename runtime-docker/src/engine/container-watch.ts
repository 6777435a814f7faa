import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import type { EngineClient } from './engine-client.ts'

/** How a container ended, as far as its engine told. */
export interface ContainerEnd {
  /** The kernel killed something in it for its memory just before. */
  readonly oomKilled: boolean
  /** Its first process was killed, and not by way of the engine. */
  readonly killed: boolean
}

/**
 * Listens to what the engine tells of containers with a label, on one connection from the first one
 * on. What is said while that connection is broken is not heard.
 */
export interface ContainerWatch extends Disposable {
  watch(name: string): void
  forget(name: string): void
  /** Waits for the container's end, at most so long. */
  end(name: string, timeoutMs: number): Promise<ContainerEnd>
}

interface Watched {
  oomAtMs: number
  killedByEngine: boolean
  readonly died: PromiseWithResolvers<{ readonly exitCode: string | undefined }>
}

/** Between the kill of a process and the end of the container that it was the end of. */
const consequenceMs = 2000

const exitCodeOfKill = '137'
const unknownEnd: ContainerEnd = { oomKilled: false, killed: false }

const event = z.object({
  Action: z.string().max(1000),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()) }),
})

export function makeContainerWatch(client: EngineClient, label: string): ContainerWatch {
  const watched = new Map<string, Watched>()
  let listening: AbortController | undefined

  const listen = async (signal: AbortSignal): Promise<void> => {
    const filters = JSON.stringify({
      type: ['container'],
      event: ['oom', 'kill', 'die'],
      label: [label],
    })
    const request = { method: 'GET', path: '/events', query: { filters } } as const
    for await (const { Action, Actor } of client.stream(event, request, signal)) {
      const entry = watched.get(Actor.Attributes.name ?? '')
      if (Action === 'oom' && entry) entry.oomAtMs = performance.now()
      if (Action === 'kill' && entry) entry.killedByEngine = true
      if (Action === 'die') entry?.died.resolve({ exitCode: Actor.Attributes.exitCode })
    }
  }

  return {
    watch(name) {
      watched.set(name, {
        oomAtMs: Number.NEGATIVE_INFINITY,
        killedByEngine: false,
        died: Promise.withResolvers(),
      })
      if (listening) return
      const current = new AbortController()
      listening = current
      // Broken off, it is begun again with the next container.
      void listen(current.signal)
        .catch(() => {})
        .finally(() => {
          if (listening === current) listening = undefined
        })
    },
    forget(name) {
      watched.delete(name)
    },
    async end(name, timeoutMs) {
      const entry = watched.get(name)
      if (entry === undefined || listening === undefined) return unknownEnd
      const over = new AbortController()
      const timeout = delay(timeoutMs, undefined, { signal: over.signal }).catch(() => undefined)
      const died = await Promise.race([entry.died.promise, timeout])
      over.abort()
      return {
        oomKilled: performance.now() - entry.oomAtMs < consequenceMs,
        killed: died?.exitCode === exitCodeOfKill && !entry.killedByEngine,
      }
    },
    [Symbol.dispose]() {
      watched.clear()
      listening?.abort()
    },
  }
}
