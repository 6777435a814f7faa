import { describe, expect, it } from 'vitest'
import { type ExecutionId, executionId } from '../kernel/ids.ts'
import type { QueuedExecution } from './execution-queries.ts'
import { makeScheduler, type SchedulerCapacity } from './scheduler.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A queue in memory and executions that end when the test says so. */
function scene(capacity: Partial<SchedulerCapacity> = {}) {
  const queue: QueuedExecution[] = []
  const running = new Map<ExecutionId, () => void>()
  const order: string[] = []
  const scheduler = makeScheduler({
    executions: {
      nextQueued: async (limit, except) =>
        queue
          .filter(({ id }) => !except.has(id))
          .toSorted((a, b) => b.priority - a.priority)
          .slice(0, limit),
    },
    run: (id) => {
      order.push(id)
      queue.splice(
        queue.findIndex((one) => one.id === id),
        1,
      )
      const { promise, resolve } = Promise.withResolvers<void>()
      running.set(id, resolve)
      return promise
    },
    capacity: { cpuMillicores: 1000, memoryBytes: 1000, maxConcurrent: 10, ...capacity },
    logger: silent,
  })
  return {
    scheduler,
    order,
    add(name: string, wants: { cpu?: number; memory?: number; priority?: number } = {}) {
      const { cpu = 500, memory = 100, priority = 0 } = wants
      const id = executionId(name)
      queue.push({
        id,
        agentId: 'a' as QueuedExecution['agentId'],
        cpuMillicores: cpu,
        memoryBytes: memory,
        priority,
      })
    },
    async afterWake() {
      scheduler.wake()
      await turns()
    },
    async end(name: string) {
      running.get(executionId(name))?.()
      running.delete(executionId(name))
      await turns()
    },
  }
}

/** Lets all promises that can settle do so. */
const turns = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the scheduler', () => {
  it('runs as many at once as cpu allows, in the order of arrival', async () => {
    const { add, afterWake, end, order } = scene()
    add('a')
    add('b')
    add('c')
    await afterWake()
    expect(order).toEqual(['a', 'b'])
    await end('a')
    expect(order).toEqual(['a', 'b', 'c'])
  })

  it('runs as many at once as memory allows', async () => {
    const { add, afterWake, order } = scene({ cpuMillicores: 100_000 })
    add('a', { memory: 600 })
    add('b', { memory: 600 })
    await afterWake()
    expect(order).toEqual(['a'])
  })

  it('takes a higher priority first', async () => {
    const { add, afterWake, order } = scene({ maxConcurrent: 1 })
    add('low', { priority: -1 })
    add('high', { priority: 5 })
    await afterWake()
    expect(order).toEqual(['high'])
  })

  it('does not let small ones overtake a large one for ever', async () => {
    const { add, afterWake, end, order } = scene()
    add('a', { cpu: 600 })
    add('large', { cpu: 1000 })
    add('small', { cpu: 100 })
    await afterWake()
    expect(order).toEqual(['a'])
    await end('a')
    expect(order).toEqual(['a', 'large'])
  })

  it('runs one alone that asks for more than there is', async () => {
    const { add, afterWake, order } = scene()
    add('giant', { cpu: 5000 })
    add('b')
    await afterWake()
    expect(order).toEqual(['giant'])
  })

  it('starts nothing once it was stopped, and waits for what runs', async () => {
    const { add, afterWake, end, order, scheduler } = scene()
    add('a')
    await afterWake()
    let stopped = false
    const stopping = scheduler.stop().then(() => {
      stopped = true
    })
    add('b')
    await afterWake()
    expect({ order, stopped }).toEqual({ order: ['a'], stopped: false })
    await end('a')
    await stopping
    expect(order).toEqual(['a'])
  })
})
