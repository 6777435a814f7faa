import { describe, expect, it } from 'vitest'
import { type ExecutionId, executionId } from '../kernel/ids.ts'
import type { QueuedExecution } from './execution-queries.ts'
import { makeScheduler, type SchedulerCapacity, type WarmLodgers } from './scheduler.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A queue in memory and executions that end when the test says so. */
function scene(capacity: Partial<SchedulerCapacity> = {}, warm?: WarmLodgers) {
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
    warm,
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

  it('fills the node with however many wait, woken once', async () => {
    const most = 150
    const { add, afterWake, order } = scene({ cpuMillicores: most * 10, maxConcurrent: most })
    for (let index = 0; index < 2 * most; index++) add(`e${index}`, { cpu: 10, memory: 1 })
    await afterWake()
    expect(order).toEqual(Array.from({ length: most }, (_, index) => `e${index}`))
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

describe('memory that is lent', () => {
  /** Lodgers who note what they are asked, and of whom one agent owns some. */
  function lodgers(memoryOfA = 0) {
    const asked: unknown[] = []
    const warm: WarmLodgers = {
      memoryOf: (agent) => (agent === 'a' ? memoryOfA : 0),
      makeRoom: async (bytes, agent) => void asked.push({ bytes, agent }),
      balance: () => undefined,
    }
    return { asked, warm }
  }

  it('is no more than is free, and comes back once', () => {
    const { scheduler } = scene()
    const lease = scheduler.lend(900)
    expect(scheduler.lend(200)).toBeUndefined()
    expect(scheduler.free.memoryBytes).toBe(100)
    lease?.[Symbol.dispose]()
    lease?.[Symbol.dispose]()
    expect(scheduler.free.memoryBytes).toBe(1000)
  })

  it('is asked back for the head of the queue, which starts when it is there', async () => {
    const { asked, warm } = lodgers()
    const { scheduler, add, afterWake, order } = scene({}, warm)
    const lease = scheduler.lend(900)
    add('b', { memory: 300 })
    await afterWake()
    expect({ order, asked }).toEqual({ order: [], asked: [{ bytes: 200, agent: 'a' }] })
    expect(scheduler.lend(1)).toBeUndefined()
    lease?.[Symbol.dispose]()
    await turns()
    expect(order).toEqual(['b'])
  })

  it('is not asked back where that would not be enough', async () => {
    const { asked, warm } = lodgers()
    const { scheduler, add, afterWake, order } = scene({}, warm)
    add('a', { memory: 600 })
    await afterWake()
    scheduler.lend(100)
    add('b', { memory: 700 })
    await afterWake()
    expect({ order, asked }).toEqual({ order: ['a'], asked: [] })
  })

  it('need not come back for an execution that takes the place of a lodger', async () => {
    const { asked, warm } = lodgers(900)
    const { scheduler, add, afterWake, order } = scene({}, warm)
    const lease = scheduler.lend(900)
    add('b', { memory: 900 })
    await afterWake()
    expect({ order, asked, over: scheduler.overdrawnBytes }).toEqual({
      order: ['b'],
      asked: [],
      over: 800,
    })
    lease?.[Symbol.dispose]()
    expect(scheduler.overdrawnBytes).toBe(0)
  })

  it('is all asked back for one that is larger than the node', async () => {
    const { asked, warm } = lodgers()
    const { scheduler, add, afterWake, order } = scene({}, warm)
    const lease = scheduler.lend(100)
    add('giant', { memory: 5000 })
    await afterWake()
    expect({ order, asked }).toEqual({ order: [], asked: [{ bytes: 100, agent: 'a' }] })
    lease?.[Symbol.dispose]()
    await turns()
    expect(order).toEqual(['giant'])
  })

  it('is none while all cpu is taken, as many run as may, or the scheduler stops', async () => {
    const busy = scene()
    busy.add('a', { cpu: 1000 })
    await busy.afterWake()
    expect(busy.scheduler.lend(1)).toBeUndefined()
    const full = scene({ maxConcurrent: 1 })
    expect(full.scheduler.lend(1)).toBeDefined()
    expect(full.scheduler.lend(1)).toBeUndefined()
    const stopped = scene()
    await stopped.scheduler.stop()
    expect(stopped.scheduler.lend(1)).toBeUndefined()
  })
})
