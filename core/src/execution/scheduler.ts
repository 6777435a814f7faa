import type { AgentId, ExecutionId } from '../kernel/ids.ts'
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
  /**
   * Memory for something that is no execution and gives way to them: until the lease is disposed.
   * Undefined while work waits, all cpu is taken, or there is not that much.
   */
  lend(memoryBytes: number): Disposable | undefined
  /** Memory that executions were given though it is lent to warm sandboxes, which they will take. */
  readonly overdrawnBytes: number
  /** Takes no more from the queue and resolves when what runs has ended. */
  stop(): Promise<void>
}

/** Sandboxes that wait for executions on memory which those may need. */
export interface WarmLodgers {
  /** What an execution of this agent need not find free, since it takes the place of one. */
  memoryOf(agentId: AgentId): number
  /**
   * Ends as many as it takes to free that much, those of `agentId` last. Resolves, and never
   * rejects, when they are gone.
   */
  makeRoom(bytes: number, agentId: AgentId): Promise<void>
  /** Nothing waits for room: more may be booted. */
  balance(): void
}

interface Deps {
  readonly executions: Pick<ExecutionQueries, 'nextQueued'>
  /**
   * Runs one execution to its end, and until its sandbox is gone. Must not reject: a failure is an
   * event.
   */
  readonly run: (id: ExecutionId) => Promise<void>
  readonly capacity: SchedulerCapacity
  readonly warm?: WarmLodgers | undefined
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
export function makeScheduler({ executions, run, capacity, warm, logger }: Deps): Scheduler {
  const running = new Map<ExecutionId, Promise<void>>()
  let freeCpu = capacity.cpuMillicores
  // Below zero while executions that were to take warm sandboxes over have not done so yet.
  let freeMemory = capacity.memoryBytes
  let lent = { bytes: 0, leases: 0 }
  let waiting = false
  let stopped = false
  let scanning: Promise<void> | undefined
  let scanAgain = false

  const fits = (wanted: QueuedExecution): boolean => {
    // One that is larger than the whole node runs alone, and is refused by its own checks.
    if (running.size === 0 && lent.leases === 0) return true
    return (
      running.size < capacity.maxConcurrent &&
      wanted.cpuMillicores <= freeCpu &&
      missingMemory(wanted) <= 0
    )
  }

  const missingMemory = ({ memoryBytes, agentId }: QueuedExecution): number =>
    memoryBytes - freeMemory - (warm?.memoryOf(agentId) ?? 0)

  /** Has warm sandboxes end, where that alone lets it run. */
  const claimRoom = (wanted: QueuedExecution): void => {
    const { cpuMillicores, memoryBytes, agentId } = wanted
    if (cpuMillicores > capacity.cpuMillicores || memoryBytes > capacity.memoryBytes) {
      if (running.size === 0) void warm?.makeRoom(lent.bytes, agentId)
      return
    }
    const missing = missingMemory(wanted)
    if (missing > 0 && missing <= lent.bytes && cpuMillicores <= freeCpu) {
      void warm?.makeRoom(missing, agentId)
    }
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
      waiting = false
      for (const candidate of candidates) {
        if (stopped) return
        if (!fits(candidate)) {
          waiting = true
          claimRoom(candidate)
          break
        }
        // The store may still show one as queued whose start is being written.
        if (!running.has(candidate.id)) start(candidate)
      }
      // Behind a page of which all were started there may be another one.
      if (candidates.length === pageSize && !waiting) scanAgain = true
    } while (scanAgain && !stopped)
    if (!waiting) warm?.balance()
  }

  const hasRoom = (): boolean =>
    running.size === 0 ||
    (running.size < capacity.maxConcurrent && freeCpu > 0 && freeMemory + lent.bytes > 0)

  function wake(): void {
    if (stopped) return
    if (!hasRoom()) {
      waiting = true
      return
    }
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
    get overdrawnBytes() {
      return Math.max(0, -freeMemory)
    },
    lend(memoryBytes) {
      const crowded = running.size + lent.leases >= capacity.maxConcurrent
      if (stopped || waiting || crowded || freeCpu <= 0 || memoryBytes > freeMemory)
        return undefined
      freeMemory -= memoryBytes
      lent = { bytes: lent.bytes + memoryBytes, leases: lent.leases + 1 }
      let returned = false
      return {
        [Symbol.dispose]() {
          if (returned) return
          returned = true
          freeMemory += memoryBytes
          lent = { bytes: lent.bytes - memoryBytes, leases: lent.leases - 1 }
          if (waiting) wake()
        },
      }
    },
    async stop() {
      stopped = true
      await scanning
      await Promise.all(running.values())
    },
  }
}
