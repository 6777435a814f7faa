import type { ExecutionId } from '../kernel/ids.ts'

/** What runs in this process now, so that it can be cancelled or interrupted. */
export interface LiveExecutions {
  enter(id: ExecutionId): LiveExecution
  find(id: ExecutionId): LiveExecution | undefined
  /** Sends all runs back to the queue: the next start of the node takes them up again. */
  interruptAll(): void
}

export interface LiveExecution extends Disposable {
  readonly signal: AbortSignal
  /** Resolves when the run has left, whatever way. */
  readonly left: Promise<void>
  abort(reason: StopReason): void
}

/** Why a run is stopped from outside. */
export class StopReason {
  readonly kind: 'cancelled' | 'timed-out' | 'interrupted'
  readonly detail: string | undefined

  constructor(kind: StopReason['kind'], detail?: string) {
    this.kind = kind
    this.detail = detail
  }
}

export function makeLiveExecutions(): LiveExecutions {
  const live = new Map<ExecutionId, LiveExecution>()

  return {
    enter(id) {
      const controller = new AbortController()
      const { promise: left, resolve } = Promise.withResolvers<void>()
      const entry: LiveExecution = {
        signal: controller.signal,
        left,
        abort: (reason) => controller.abort(reason),
        [Symbol.dispose]() {
          live.delete(id)
          resolve()
        },
      }
      live.set(id, entry)
      return entry
    },
    find: (id) => live.get(id),
    interruptAll() {
      for (const entry of live.values()) entry.abort(new StopReason('interrupted'))
    },
  }
}
