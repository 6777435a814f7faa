import { AegisError, type Logger, type SweepReport } from '@aegis/core'
import type { EngineClient } from '../engine/engine-client.ts'
import type { Owner } from './owner.ts'
import type { Reaper } from './reaper.ts'
import { sweepEngine } from './sweep-engine.ts'
import type { UseMarker } from './use-marker.ts'

/** Removes what a predecessor left, as soon as the engine can be asked. */
export interface Sweeper {
  /** Asks nobody when this home never used an engine, and puts it off when that is away. */
  sweep(signal: AbortSignal): Promise<SweepReport>
  /** The engine answers: does what was put off, behind the caller. */
  catchUp(): void
  /** Everything of ours was removed in good order. */
  settle(): Promise<void>
}

interface Deps {
  readonly client: EngineClient
  readonly owner: Owner
  readonly reaper: Reaper
  readonly marker: UseMarker
  readonly logger: Logger | undefined
  /** Ids of the sandboxes that are in use. */
  readonly live: ReadonlyMap<string, unknown>
}

export function makeSweeper({ client, owner, reaper, marker, logger, live }: Deps): Sweeper {
  let owed = false

  const inUse = (name: string): boolean => {
    const [id = '', part] = name.slice(owner.prefix.length).split('.')
    // A guest volume serves whoever boots; the next boot of a predecessor's fills it again.
    return live.has(id) || (id === 'guest' && part !== undefined && live.size > 0)
  }

  const sweepNow = async (signal: AbortSignal): Promise<SweepReport> => {
    const removed = await sweepEngine({ client, owner, reaper }, inUse, signal)
    return { removed }
  }

  return {
    async sweep(signal) {
      signal.throwIfAborted()
      if (!(await marker.isSet())) return { removed: [] }
      try {
        const report = await sweepNow(signal)
        owed = false
        return report
      } catch (error) {
        // Whatever is wrong with the engine, the other runtimes can work.
        if (!(error instanceof AegisError)) throw error
        owed = true
        logger?.warn(
          { err: error },
          'the engine does not answer as it should, so what an earlier run left there stays for now',
        )
        return { removed: [] }
      }
    },
    catchUp() {
      if (!owed) return
      owed = false
      sweepNow(new AbortController().signal).then(
        ({ removed }) => {
          if (removed.length > 0) logger?.warn({ removed }, 'swept what an earlier run left')
        },
        (err: unknown) => {
          owed = true
          logger?.warn({ err }, 'what an earlier run left on the engine stays for now')
        },
      )
    },
    async settle() {
      if (!owed) await marker.clear()
    },
  }
}
