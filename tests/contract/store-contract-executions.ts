import type { ExecutionEvent, ExecutionId, ExecutionSummary } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './store-contract.ts'
import {
  agentStream,
  anAgentId,
  anExecutionId,
  at,
  cancelled,
  completed,
  deployed,
  executionStream,
  failed,
  interrupted,
  iterationStarted,
  llmCalled,
  printed,
  queued,
  started,
  timedOut,
} from './store-events.ts'

const agent = anAgentId(1)
const other = anAgentId(2)

export function describeExecutionQueries(open: () => Promise<StoreUnderTest>): void {
  /** A store with one execution for each history, numbered from 1 in this order. */
  const given = async (...histories: ExecutionEvent[][]): Promise<StoreUnderTest> => {
    const store = await open()
    await Promise.all(
      histories.map((events, index) =>
        store.events.append({
          stream: executionStream(anExecutionId(index + 1)),
          expectedVersion: 0,
          events,
        }),
      ),
    )
    return store
  }

  const pause = (store: StoreUnderTest, id = agent) =>
    store.events.append({
      stream: agentStream(id),
      expectedVersion: 0,
      events: [deployed('echo'), { type: 'agent.paused', at }],
    })

  const next = async (store: StoreUnderTest, limit = 99, except: ExecutionId[] = []) =>
    numbers(await store.executions.nextQueued(limit, new Set(except)))

  describe('executions', () => {
    it('are summed up from all that happened', async () => {
      const later = '2026-11-22T16:00:00.000Z'
      await using store = await given([
        queued(agent, 7),
        started,
        iterationStarted(1),
        llmCalled(10, 20),
        printed('Hello'),
        interrupted,
        { ...started, at: later },
        iterationStarted(2),
        llmCalled(1, 2),
        { ...failed, at: later },
      ])
      const summary: ExecutionSummary = {
        id: anExecutionId(1),
        agentId: agent,
        agentName: 'echo',
        agentRevision: 1,
        status: 'failed',
        priority: 7,
        isolation: 'process',
        queuedAt: at,
        startedAt: at,
        endedAt: later,
        iterations: 2,
        interruptions: 1,
        promptTokens: 11,
        completionTokens: 22,
        cost: 0.5,
        failure: { cause: 'exit_code', message: 'The agent ended with code 3.', exitCode: 3 },
      }
      expect(await store.executions.byId(anExecutionId(1))).toStrictEqual(summary)
      expect(await store.executions.list({ limit: 1 })).toStrictEqual([summary])
    })

    it('show how far they are', async () => {
      await using store = await given(
        [queued(agent)],
        [queued(agent), started],
        [queued(agent), started, completed],
        [queued(agent), started, failed],
        [queued(agent), cancelled],
        [queued(agent), started, timedOut],
        [queued(agent), started, interrupted],
      )
      const statuses = (await store.executions.list({ limit: 9 })).map(({ status }) => status)
      expect(statuses.reverse()).toEqual([
        'queued',
        'running',
        'completed',
        'failed',
        'cancelled',
        'timed_out',
        'queued',
      ])
      expect(await store.executions.countByStatus()).toEqual({
        pending: 0,
        queued: 2,
        running: 1,
        completed: 1,
        failed: 1,
        cancelled: 1,
        timed_out: 1,
      })
      expect(await store.executions.running()).toEqual([anExecutionId(2)])
    })

    it('are listed newest first, of one agent or in one status, up to a limit', async () => {
      await using store = await given(
        [queued(agent)],
        [queued(other)],
        [queued(agent), started],
        [queued(agent)],
      )
      const list = async (filter: Parameters<typeof store.executions.list>[0]) =>
        numbers(await store.executions.list(filter))
      expect(await list({ limit: 9 })).toEqual([4, 3, 2, 1])
      expect(await list({ limit: 2 })).toEqual([4, 3])
      expect(await list({ agentId: agent, limit: 9 })).toEqual([4, 3, 1])
      expect(await list({ status: 'queued', limit: 9 })).toEqual([4, 2, 1])
      expect(await list({ agentId: agent, status: 'queued', limit: 9 })).toEqual([4, 1])
      expect(await list({ status: 'failed', limit: 9 })).toEqual([])
    })

    it('are pending while their agent is paused, and queued when it goes on', async () => {
      await using store = await given([queued(agent)], [queued(other)], [queued(agent), started])
      await pause(store)
      const statuses = async () =>
        (await store.executions.list({ limit: 9 })).map(({ status }) => status)
      expect(await statuses()).toEqual(['running', 'queued', 'pending'])
      expect(await store.executions.byId(anExecutionId(1))).toMatchObject({ status: 'pending' })
      expect(await store.executions.countByStatus()).toMatchObject({ pending: 1, queued: 1 })
      const inStatus = async (status: 'pending' | 'queued') =>
        numbers(await store.executions.list({ status, limit: 9 }))
      expect(await inStatus('pending')).toEqual([1])
      expect(await inStatus('queued')).toEqual([2])

      const resumed = { type: 'agent.resumed', at }
      await store.events.append({
        stream: agentStream(agent),
        expectedVersion: 2,
        events: [resumed],
      })
      expect(await statuses()).toEqual(['running', 'queued', 'queued'])
    })
  })

  describe('the queue', () => {
    it('gives the highest priority first, and equals in the order they came', async () => {
      await using store = await given(
        [queued(agent, 0)],
        [queued(agent, 5)],
        [queued(agent, -5)],
        [queued(agent, 5)],
        [queued(agent, 0)],
      )
      expect(await next(store)).toEqual([2, 4, 1, 5, 3])
      expect(await next(store, 2)).toEqual([2, 4])
      expect(await next(store, 0)).toEqual([])
    })

    it('tells what the scheduler needs to know, and no more', async () => {
      await using store = await given([queued(agent, 3)])
      expect(await store.executions.nextQueued(1, new Set())).toStrictEqual([
        {
          id: anExecutionId(1),
          agentId: agent,
          cpuMillicores: 250,
          memoryBytes: 134_217_728,
          priority: 3,
        },
      ])
    })

    it('skips those that it is told to', async () => {
      await using store = await given([queued(agent)], [queued(agent)], [queued(agent)])
      expect(await next(store, 2, [anExecutionId(1)])).toEqual([2, 3])
    })

    it('holds only who waits', async () => {
      await using store = await given(
        [queued(agent), started],
        [queued(agent), started, completed],
        [queued(agent), cancelled],
        [queued(agent)],
      )
      expect(await next(store)).toEqual([4])
    })

    it('gives an interrupted execution its old place back', async () => {
      await using store = await given([queued(agent), started], [queued(agent)])
      const stream = executionStream(anExecutionId(1))
      await store.events.append({ stream, expectedVersion: 2, events: [interrupted] })
      expect(await next(store)).toEqual([1, 2])
    })

    it('passes over those whose agent is paused', async () => {
      await using store = await given([queued(agent)], [queued(other)], [queued(agent)])
      await pause(store)
      expect(await next(store)).toEqual([2])
    })
  })
}

const numbers = (rows: readonly { readonly id: ExecutionId }[]): number[] =>
  rows.map(({ id }) => Number(id.slice(-12)))
