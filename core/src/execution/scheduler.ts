import type { ExecutionId } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { ExecutionQueries, QueuedExecution } from './execution-queries.ts'

export interface SchedulerCapacity {
  readonly cpuMillicores: number
  readonly memoryBytes: number
  /** Executions at once, however small they are. */
  readonly maxConcurrent: number
}

export interface Scheduler {
  /** Something was queued, or may run now. Cheap; may be called as often as one likes. */
  wake(): void
  readonly free: { readonly cpuMillicores: number; readonly memoryBytes: number }
  /** Takes no more from the queue and resolves when what runs has ended. */
  stop(): Promise<void>
}

interface Deps {
  readonly executions: Pick<ExecutionQueries, 'nextQueued'>
  /** Runs one execution to its end. Must not reject: a failure is an event. */
  readonly run: (id: ExecutionId) => Promise<void>
  readonly capacity: SchedulerCapacity
  readonly logger: Logger
}

/** Candidates read from the queue at a time. */
const pageSize = 64

/**
 * Starts queued executions while cpu and memory are free: highest priority first, then first come,
 * first served. The head of the queue is never overtaken by a smaller one behind it, so a large
 * execution waits only for what runs, not for ever.
 *
 * The queue itself is durable and lives in the store; the scheduler keeps only what runs now.
 */
export function makeScheduler({ executions, run, capacity, logger }: Deps): Scheduler {
  const running = new Map<ExecutionId, Promise<void>>()
  let freeCpu = capacity.cpuMillicores
  let freeMemory = capacity.memoryBytes
  let stopped = false
  let scanning: Promise<void> | undefined
  let scanAgain = false

  const fits = (wanted: QueuedExecution): boolean => {
    // One that is larger than the whole node runs alone, and is refused by its own checks.
    if (running.size === 0) return true
    return (
      running.size < capacity.maxConcurrent &&
      wanted.cpuMillicores <= freeCpu &&
      wanted.memoryBytes <= freeMemory
    )
  }

  const start = (next: QueuedExecution): void => {
    freeCpu -= next.cpuMillicores
    freeMemory -= next.memoryBytes
    const ended = run(next.id)
      .catch((error: unknown) => {
        logger.error({ err: error, executionId: next.id }, 'execution ended by a defect')
      })
      .finally(() => {
        freeCpu += next.cpuMillicores
        freeMemory += next.memoryBytes
        running.delete(next.id)
        wake()
      })
    running.set(next.id, ended)
  }

  const scan = async (): Promise<void> => {
    do {
      scanAgain = false
      const candidates = await executions.nextQueued(pageSize, new Set(running.keys()))
      for (const candidate of candidates) {
        if (stopped || !fits(candidate)) break
        // The store may still show one as queued whose start is being written.
        if (!running.has(candidate.id)) start(candidate)
      }
    } while (scanAgain && !stopped)
  }

  const hasRoom = (): boolean =>
    running.size === 0 || (running.size < capacity.maxConcurrent && freeCpu > 0 && freeMemory > 0)

  function wake(): void {
    if (stopped || !hasRoom()) return
    if (scanning !== undefined) {
      scanAgain = true
      return
    }
    scanning = scan()
      .catch((error: unknown) => logger.error({ err: error }, 'the queue could not be read'))
      .finally(() => {
        scanning = undefined
        if (scanAgain) wake()
      })
  }

  return {
    wake,
    get free() {
      return { cpuMillicores: Math.max(0, freeCpu), memoryBytes: Math.max(0, freeMemory) }
    },
    async stop() {
      stopped = true
      await scanning
      await Promise.all(running.values())
    },
  }
}
