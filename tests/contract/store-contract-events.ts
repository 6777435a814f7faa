import type { DomainEvent, RecordedEvent } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './store-contract.ts'
import {
  agentStream,
  anAgentId,
  anExecutionId,
  at,
  completed,
  deployed,
  executionStream,
  printed,
  queued,
  started,
} from './store-events.ts'

const agent = anAgentId(1)
const first = executionStream(anExecutionId(1))
const second = executionStream(anExecutionId(2))

const conflict = { name: 'AegisError', kind: 'conflict', code: 'store.version' }
const removed = { name: 'AegisError', kind: 'not-found', code: 'store.removed' }

export function describeEventStore(open: () => Promise<StoreUnderTest>): void {
  describe('events', () => {
    it('reads back what was appended, numbered without a gap', async () => {
      await using store = await open()
      const { events } = store
      await events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await events.append({ stream: second, expectedVersion: 0, events: [queued(agent)] })
      const more = [started, printed('a'), printed('b')]
      const recorded = await events.append({ stream: first, expectedVersion: 1, events: more })

      expect(recorded.map(({ version }) => version)).toEqual([2, 3, 4])
      const all = await events.read(first)
      expect(all.map(({ version }) => version)).toEqual([1, 2, 3, 4])
      expect(all.map(({ event }) => event)).toEqual([queued(agent), ...more])
      expect(all.slice(1)).toEqual(recorded)
      expect(all.every(({ stream }) => stream === first)).toBe(true)
      expect(increases(all)).toBe(true)
    })

    it('reads on after a version, as much as is asked for', async () => {
      await using store = await open()
      const { events } = store
      const all = [queued(agent), started, printed('a'), printed('b'), completed]
      await events.append({ stream: first, expectedVersion: 0, events: all })
      const versions = async (after: number, limit?: number) =>
        (await events.read(first, after, limit)).map(({ version }) => version)

      expect(await versions(3)).toEqual([4, 5])
      expect(await versions(1, 2)).toEqual([2, 3])
      expect(await versions(5)).toEqual([])
      expect(await versions(99)).toEqual([])
    })

    it('has nothing to read of a stream that is not there', async () => {
      await using store = await open()
      expect(await store.events.read(first)).toEqual([])
    })

    it('keeps every text as it was', async () => {
      await using store = await open()
      let version = 0
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: utf16, maxLength: 200 }), async (text) => {
          const event = version === 0 ? queued(agent) : printed(text)
          await store.events.append({ stream: first, expectedVersion: version, events: [event] })
          const [stored] = await store.events.read(first, version, 1)
          version += 1
          expect(stored?.event).toEqual(event)
        }),
        { numRuns: 100 },
      )
    })

    it('keeps a console event of 32 KiB', async () => {
      await using store = await open()
      const large = printed('🐝'.repeat(8192))
      await store.events.append({
        stream: first,
        expectedVersion: 0,
        events: [queued(agent), large],
      })
      expect((await store.events.read(first, 1))[0]?.event).toEqual(large)
    })

    it('refuses an append that was decided upon another version, and stores none of it', async () => {
      await using store = await open()
      const { events } = store
      await events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      for (const expectedVersion of [0, 2]) {
        await expect(
          events.append({ stream: first, expectedVersion, events: [started, completed] }),
        ).rejects.toMatchObject(conflict)
      }
      expect(await events.read(first)).toHaveLength(1)
      expect(await store.executions.byId(anExecutionId(1))).toMatchObject({ status: 'queued' })
    })

    it('refuses a first append to a stream that is not there at another version than 0', async () => {
      await using store = await open()
      await expect(
        store.events.append({ stream: first, expectedVersion: 1, events: [started] }),
      ).rejects.toMatchObject(conflict)
    })

    it('lets exactly one of many win that decided upon the same version', async () => {
      await using store = await open()
      const attempts = await Promise.allSettled(
        Array.from({ length: 20 }, (_, number) =>
          store.events.append({
            stream: first,
            expectedVersion: 0,
            events: [queued(agent, number)],
          }),
        ),
      )
      expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const attempt of attempts) {
        if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject(conflict)
      }
      expect(await store.events.read(first)).toHaveLength(1)
    })

    it('does not let the failure of one append disturb those beside it', async () => {
      await using store = await open()
      const attempts = await Promise.allSettled([
        store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] }),
        store.events.append({ stream: first, expectedVersion: 7, events: [started] }),
        store.events.append({
          stream: second,
          expectedVersion: 0,
          events: [queued(agent), unknown],
        }),
        store.events.append({ stream: first, expectedVersion: 1, events: [started] }),
      ])
      const outcomes = attempts.map(({ status }) => status)
      expect(outcomes).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
      expect(await store.events.read(first)).toHaveLength(2)
      expect(await store.events.read(second)).toEqual([])
      expect(await store.executions.byId(anExecutionId(2))).toBeUndefined()
    })

    it('stores no event that its stream cannot hold', async () => {
      await using store = await open()
      for (const event of [unknown, deployed('echo')]) {
        const append = store.events.append({ stream: first, expectedVersion: 0, events: [event] })
        await expect(append).rejects.toThrow('is no event of an execution')
      }
      expect(await store.events.read(first)).toEqual([])
    })

    it('stores nothing for an append of nothing', async () => {
      await using store = await open()
      const nothing = { stream: first, expectedVersion: 0, events: [] }
      expect(await store.events.append(nothing)).toEqual([])
      expect(await store.events.read(first)).toEqual([])
    })
  })

  describe('subscriptions', () => {
    it('tell of every event once, in the order of the commits, before the append resolves', async () => {
      await using store = await open()
      const heard: RecordedEvent[] = []
      using _ = store.events.subscribe((events) => heard.push(...events))
      const appends = Array.from({ length: 30 }, async (_, number) => {
        const stream = executionStream(anExecutionId(number))
        const recorded = await store.events.append({
          stream,
          expectedVersion: 0,
          events: [queued(agent), started],
        })
        expect(heard).toEqual(expect.arrayContaining([...recorded]))
      })
      await Promise.all(appends)
      expect(heard).toHaveLength(60)
      expect(increases(heard)).toBe(true)
    })

    it('tell nothing of an append that failed', async () => {
      await using store = await open()
      const heard: RecordedEvent[] = []
      using _ = store.events.subscribe((events) => heard.push(...events))
      const append = store.events.append({ stream: first, expectedVersion: 3, events: [started] })
      await expect(append).rejects.toMatchObject(conflict)
      expect(heard).toEqual([])
    })

    it('let their listener see the effect of what it hears', async () => {
      await using store = await open()
      const seen = Promise.withResolvers<unknown>()
      using _ = store.events.subscribe(() => {
        seen.resolve(store.executions.byId(anExecutionId(1)))
      })
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      expect(await seen.promise).toMatchObject({ status: 'queued' })
    })

    it('let their listener append', async () => {
      await using store = await open()
      const appended = Promise.withResolvers<unknown>()
      const subscription = store.events.subscribe(() => {
        subscription[Symbol.dispose]()
        appended.resolve(
          store.events.append({ stream: first, expectedVersion: 1, events: [started] }),
        )
      })
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await appended.promise
      expect(await store.events.read(first)).toHaveLength(2)
    })

    it('go on when a listener throws', async () => {
      await using store = await open()
      const heard: RecordedEvent[] = []
      using _thrower = store.events.subscribe(() => {
        throw new Error('a bug of the listener')
      })
      using _ = store.events.subscribe((events) => heard.push(...events))
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await store.events.append({ stream: first, expectedVersion: 1, events: [started] })
      expect(heard).toHaveLength(2)
    })

    it('end when they are disposed', async () => {
      await using store = await open()
      const heard: RecordedEvent[] = []
      const listener = (events: readonly RecordedEvent[]) => heard.push(...events)
      const subscription = store.events.subscribe(listener)
      using _ = store.events.subscribe(listener)
      subscription[Symbol.dispose]()
      subscription[Symbol.dispose]()
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      expect(heard).toHaveLength(1)
    })
  })

  describe('removal', () => {
    it('takes a stream away for good, with its rows, as often as it is asked', async () => {
      await using store = await open()
      const { events, executions, agents } = store
      await events.append({
        stream: agentStream(agent),
        expectedVersion: 0,
        events: [deployed('echo')],
      })
      await events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await events.append({ stream: second, expectedVersion: 0, events: [queued(agent)] })
      await events.remove(first)
      await events.remove(first)

      expect(await events.read(first)).toEqual([])
      expect(await executions.byId(anExecutionId(1))).toBeUndefined()
      expect(await executions.nextQueued(9, new Set())).toHaveLength(1)
      expect(await agents.byId(agent)).toMatchObject({ executionCount: 1 })
    })

    it('takes an agent away with the manifests of all its revisions', async () => {
      await using store = await open()
      const stream = agentStream(agent)
      await store.events.append({ stream, expectedVersion: 0, events: [deployed('echo')] })
      await store.events.remove(stream)
      expect(await store.agents.list()).toEqual([])
      expect(await store.agents.revision(agent, 1)).toBeUndefined()
    })

    it('lets nobody bring the stream back', async () => {
      await using store = await open()
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await store.events.remove(first)
      for (const expectedVersion of [0, 1]) {
        await expect(
          store.events.append({ stream: first, expectedVersion, events: [started] }),
        ).rejects.toMatchObject(removed)
      }
    })

    it('comes after the appends that were asked for before it', async () => {
      await using store = await open()
      const append = store.events.append({
        stream: first,
        expectedVersion: 0,
        events: [queued(agent)],
      })
      const removal = store.events.remove(first)
      expect(await append).toHaveLength(1)
      await removal
      expect(await store.events.read(first)).toEqual([])
    })

    it('of what never was leaves no trace', async () => {
      await using store = await open()
      await store.events.remove(first)
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      expect(await store.events.read(first)).toHaveLength(1)
    })

    it('does not give a position away twice', async () => {
      await using store = await open()
      const append = (stream: typeof first) =>
        store.events.append({ stream, expectedVersion: 0, events: [queued(agent)] })
      const [before] = await append(first)
      await store.events.remove(first)
      const [after] = await append(second)
      expect(after?.position).toBeGreaterThan(before?.position ?? Number.NaN)
    })
  })
}

const unknown: DomainEvent = { type: 'execution.teleported', at }

/** Any code unit, so also NUL and halves of surrogate pairs. */
const utf16 = fc.nat(0xffff).map((code) => String.fromCharCode(code))

const increases = (recorded: readonly RecordedEvent[]): boolean =>
  recorded.every(({ position }, index) => position > (recorded[index - 1]?.position ?? 0))
