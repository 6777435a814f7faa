import type { AgentEvent, AgentSummary } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { StoreUnderTest } from './store-contract.ts'
import {
  agentStream,
  anAgentId,
  anExecutionId,
  at,
  deployed,
  executionStream,
  queued,
  updated,
} from './store-events.ts'

const id = anAgentId(1)

export function describeAgentQueries(open: () => Promise<StoreUnderTest>): void {
  /** A store in which the agent `id` has this history. */
  const given = async (...events: AgentEvent[]): Promise<StoreUnderTest> => {
    const store = await open()
    await store.events.append({ stream: agentStream(id), expectedVersion: 0, events })
    return store
  }

  describe('agents', () => {
    it('are found by id and by name', async () => {
      await using store = await given(deployed('echo'))
      const summary: AgentSummary = {
        id,
        name: 'echo',
        version: '1.0.0',
        description: '',
        status: 'active',
        labels: {},
        revision: 1,
        createdAt: at,
        updatedAt: at,
        executionCount: 0,
      }
      expect(await store.agents.byId(id)).toEqual(summary)
      expect(await store.agents.byName('echo')).toEqual(summary)
      expect(await store.agents.list()).toEqual([summary])
      expect(await store.agents.byId(anAgentId(2))).toBeUndefined()
      expect(await store.agents.byName('Echo')).toBeUndefined()
    })

    it('are listed by name', async () => {
      await using store = await open()
      for (const [number, name] of ['poet', 'echo', 'greeter'].entries()) {
        const stream = agentStream(anAgentId(number))
        await store.events.append({ stream, expectedVersion: 0, events: [deployed(name)] })
      }
      const names = (await store.agents.list()).map(({ name }) => name)
      expect(names).toEqual(['echo', 'greeter', 'poet'])
    })

    it('show their latest revision, and keep the manifest of each', async () => {
      await using store = await given(deployed('echo'), updated('echo', 2, '2.0.0'))
      expect(await store.agents.byId(id)).toMatchObject({ version: '2.0.0', revision: 2 })
      expect(await store.agents.revision(id, 1)).toEqual({ manifest: aManifest('echo') })
      expect(await store.agents.revision(id, 2)).toEqual({
        manifest: aManifest('echo', { version: '2.0.0' }),
      })
      expect(await store.agents.revision(id, 3)).toBeUndefined()
    })

    it('are paused and resumed, and stay paused when deployed again', async () => {
      const later = '2026-11-22T16:00:00.000Z'
      await using store = await given(deployed('echo'), { type: 'agent.paused', at: later })
      expect(await store.agents.byId(id)).toMatchObject({ status: 'paused', updatedAt: later })
      const append = (expectedVersion: number, event: AgentEvent) =>
        store.events.append({ stream: agentStream(id), expectedVersion, events: [event] })
      await append(2, updated('echo', 2))
      expect(await store.agents.byId(id)).toMatchObject({ status: 'paused', revision: 2 })
      await append(3, { type: 'agent.resumed', at: later })
      expect(await store.agents.byId(id)).toMatchObject({ status: 'active', createdAt: at })
    })

    it('vanish when removed, but for the manifests that executions refer to', async () => {
      await using store = await given(deployed('echo'), { type: 'agent.removed', at })
      expect(await store.agents.list()).toEqual([])
      expect(await store.agents.byId(id)).toBeUndefined()
      expect(await store.agents.byName('echo')).toBeUndefined()
      expect(await store.agents.revision(id, 1)).toEqual({ manifest: aManifest('echo') })
    })

    it('come back under the same name, with the next revision', async () => {
      await using store = await given(
        deployed('echo'),
        { type: 'agent.paused', at },
        { type: 'agent.removed', at },
        deployed('echo', 2, '3.0.0'),
      )
      const back = { status: 'active', revision: 2, version: '3.0.0' }
      expect(await store.agents.byName('echo')).toMatchObject(back)
    })

    it('count their executions, also those from before a removal', async () => {
      await using store = await given(deployed('echo'))
      const { events, agents } = store
      const execute = (number: number, agent = id) =>
        events.append({
          stream: executionStream(anExecutionId(number)),
          expectedVersion: 0,
          events: [queued(agent)],
        })
      const count = async () => (await agents.byId(id))?.executionCount
      await Promise.all([execute(1), execute(2), execute(3), execute(4, anAgentId(2))])
      expect(await count()).toBe(3)
      await events.remove(executionStream(anExecutionId(2)))
      expect(await count()).toBe(2)
      const again: AgentEvent[] = [{ type: 'agent.removed', at }, deployed('echo', 2)]
      await events.append({ stream: agentStream(id), expectedVersion: 1, events: again })
      expect(await count()).toBe(2)
    })
  })
}
