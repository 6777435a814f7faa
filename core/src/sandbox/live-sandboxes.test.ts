import { describe, expect, it } from 'vitest'
import { agentId, executionId, sandboxId } from '../kernel/ids.ts'
import { makeLiveSandboxes, type SandboxAbout } from './live-sandboxes.ts'
import type { Sandbox, SandboxStats } from './sandbox.ts'
import type { SandboxEvent } from './sandbox-event.ts'
import type { SandboxMoment } from './sandbox-figures.ts'

const stats: SandboxStats = {
  cpuMs: 7,
  memoryBytes: 1,
  memoryPeakBytes: 2,
  pids: 3,
  ioReadBytes: 0,
  ioWriteBytes: 0,
}

const sandbox = (answer: () => Promise<SandboxStats> = async () => stats): Sandbox => ({
  id: sandboxId('s-1'),
  isolation: 'process',
  bootPhases: {},
  ended: new Promise(() => {}),
  exec: () => Promise.reject(new Error('not here')),
  writeFiles: async () => {},
  readFile: () => Promise.reject(new Error('not here')),
  stats: answer,
  [Symbol.asyncDispose]: async () => {},
})

const about = (id = 's-1'): SandboxAbout => ({
  id: sandboxId(id),
  isolation: 'process',
  agentId: agentId('a'),
  agentName: 'echo',
  limits: { cpuMillicores: 500, memoryBytes: 9, diskBytes: 1, pids: 5, outputBytes: 1 },
})

/** A clock that stands, and whose sleeps are over when the test says so. */
function scene() {
  const sleepers: (() => void)[] = []
  const live = makeLiveSandboxes({
    now: () => '2026-01-02T03:04:05.000Z',
    monotonicMs: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        sleepers.push(resolve)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  })
  const events = live.events(forever)
  return { live, sleepers, told: (count: number) => take(events, count) }
}

/** The next `count` events. */
async function take(
  events: AsyncIterable<SandboxEvent>,
  count: number,
): Promise<readonly SandboxEvent[]> {
  const taken: SandboxEvent[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
}

const forever = new AbortController().signal
const run = executionId('e-1')

describe('the life of a sandbox', () => {
  it('is told from cold over warm and hot to its end', async () => {
    const { live, told } = scene()
    const one = live.enter(about())
    one.warm(sandbox())
    one.hot(sandbox(), run)
    one.terminated()
    const counts = { cold: 0, warm: 0, hot: 0, terminated: 1, failed: 0 }
    expect(live.counts).toEqual({ ...counts, warmStarts: 1, restoredStarts: 0, coldStarts: 0 })
    const shared = { sandboxId: 's-1', isolation: 'process', agentId: 'a', agentName: 'echo' }
    const at = '2026-01-02T03:04:05.000Z'
    expect(await told(4)).toEqual([
      { type: 'sandbox.cold', ...shared, executionId: undefined, at },
      { type: 'sandbox.warm', ...shared, executionId: undefined, at },
      { type: 'sandbox.hot', ...shared, executionId: run, at },
      { type: 'sandbox.terminated', ...shared, executionId: run, at },
    ])
  })

  it('counts a start that found none waiting as cold', () => {
    const { live } = scene()
    live.enter(about()).hot(sandbox(), run)
    expect(live.counts).toMatchObject({ hot: 1, warmStarts: 0, coldStarts: 1 })
  })

  it('ends once: whoever ends it second, or uses it after its end, adds nothing', async () => {
    const { live, told } = scene()
    const one = live.enter(about())
    one.failed('It vanished.', 'sandbox_lost')
    one.terminated()
    one.warm(sandbox())
    expect(live.counts).toMatchObject({ warm: 0, terminated: 0, failed: 1 })
    expect((await told(2)).map(({ type, reason, cause }) => ({ type, reason, cause }))).toEqual([
      { type: 'sandbox.cold', reason: undefined, cause: undefined },
      { type: 'sandbox.failed', reason: 'It vanished.', cause: 'sandbox_lost' },
    ])
  })
})

describe('the list of sandboxes', () => {
  it('shows what each may use, and what it uses once it has booted', async () => {
    const { live } = scene()
    live.enter(about('boots'))
    live.enter(about('runs')).hot(sandbox(), run)
    const limits = { cpuMillicores: 500, memoryBytes: 9 }
    expect(await live.list(forever)).toMatchObject([
      { id: 'boots', state: 'cold', limits },
      { id: 'runs', state: 'hot', executionId: run, limits, stats },
    ])
    expect((await live.list(forever))[0]).not.toHaveProperty('stats')
  })

  it('is held up neither by one that fails to answer nor by one that never does', async () => {
    const { live, sleepers } = scene()
    live.enter(about('fails')).warm(sandbox(() => Promise.reject(new Error('ended'))))
    live.enter(about('hangs')).warm(sandbox(() => new Promise(() => {})))
    const list = live.list(forever)
    for (const wake of sleepers) wake()
    expect((await list).map(({ id, stats: seen }) => ({ id, seen }))).toEqual([
      { id: 'fails', seen: undefined },
      { id: 'hangs', seen: undefined },
    ])
  })
})

describe('the events of sandboxes', () => {
  it('begin when they are asked for, not when the first is read', async () => {
    const { live } = scene()
    live.enter(about('before'))
    const events = live.events(forever)
    live.enter(about('behind'))
    expect(await take(events, 1)).toMatchObject([{ sandboxId: 'behind' }])
  })

  it('end when their reader says so', async () => {
    const { live } = scene()
    const reading = new AbortController()
    const ended = take(live.events(reading.signal), 1)
    reading.abort()
    expect(await ended).toEqual([])
  })

  it('keep the newest for a reader who is slow', async () => {
    const { live } = scene()
    const events = live.events(forever)
    for (let index = 0; index <= 10_000; index++) live.enter(about(`s-${index}`))
    expect(await take(events, 1)).toMatchObject([{ sandboxId: 's-1' }])
  })
})

describe('the figures of sandboxes', () => {
  it('tell each boot once, whether it waited or not, and when its program spoke', () => {
    const { live } = scene()
    const told: SandboxMoment[] = []
    using _ = live.figures.onMoment((moment) => told.push(moment))
    const booted = { ...sandbox(), bootPhases: { spawn: 3 } }
    const one = live.enter(about())
    one.warm(booted)
    one.hot(booted, run)
    live.spoke(about().id, 12)
    one.terminated()
    live.spoke(about().id, 13)
    live.enter(about('fails')).failed('No hello.')
    expect(told).toEqual([
      { kind: 'booted', isolation: 'process', phases: { spawn: 3 } },
      { kind: 'spoke', isolation: 'process', afterMs: 12 },
    ])
  })

  it('add up what machines occupy, without those that boot, are gone, or are none', async () => {
    const { live } = scene()
    const machine = (bytes: number | undefined): Sandbox => ({
      ...sandbox(() => new Promise(() => {})),
      residentBytes: async () => bytes,
    })
    live.enter({ ...about('boots'), isolation: 'firecracker' })
    live.enter(about('none')).warm(sandbox())
    expect(await live.figures.resident()).toEqual([])
    for (const [id, bytes] of [
      ['a', 70],
      ['b', 30],
      ['gone', undefined],
    ] as const)
      live.enter({ ...about(id), isolation: 'firecracker' }).warm(machine(bytes))
    expect(await live.figures.resident()).toEqual([
      { isolation: 'firecracker', bytes: 100, largestBytes: 70 },
    ])
  })
})
