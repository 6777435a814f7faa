import type { AuditEntry, DomainEvent, ExecutionEvent } from '@aegis/core'
import {
  type AuditFilter,
  type AuditStore,
  hashText,
  makeMerkleHash,
  makeStoredTree,
  readEntry,
  rootOf,
  type StoredEntry,
  tileAt,
} from '@aegis/core/audit'
import { pureSha256 } from '@aegis/core/testing'
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
  failed,
  llmCalled,
  printed,
  queued,
  started,
  updated,
} from './store-events.ts'

const agent = anAgentId(1)
const first = executionStream(anExecutionId(1))
const second = executionStream(anExecutionId(2))
const merkle = makeMerkleHash(pureSha256)
const unknown: DomainEvent = { type: 'execution.teleported', at }

const called = (route: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  at,
  type: 'api.called',
  actor: 'local',
  data: { route },
  ...more,
})

const text = (value: string): string => hashText(value, pureSha256)

export function describeAuditStore(open: () => Promise<StoreUnderTest>): void {
  const types = async ({ audit }: StoreUnderTest) =>
    (await audit.entries(0, 1000)).map(({ keys }) => keys.type)

  describe('audit', () => {
    it('holds an entry for each event that needs a proof, in the order of the commits', async () => {
      await using store = await open()
      const { events } = store
      await events.append({
        stream: agentStream(agent),
        expectedVersion: 0,
        events: [deployed('echo')],
      })
      const all = [queued(agent), started, printed('not audited'), llmCalled(3, 4), completed]
      await events.append({ stream: first, expectedVersion: 0, events: all })
      expect(await types(store)).toEqual([
        'agent.deployed',
        'execution.queued',
        'execution.started',
        'execution.llm-called',
        'execution.completed',
      ])
      const entries = await store.audit.entries(0, 10)
      expect(entries.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
      expect(entries.map(({ keys }) => [keys.agentId, keys.executionId])).toEqual([
        [agent, undefined],
        ...Array.from({ length: 4 }, () => [agent, anExecutionId(1)]),
      ])
      for (const { body, keys } of entries) expect(readEntry(body)).toMatchObject({ at: keys.at })
    })

    it('names the agent of an execution also where the event does not', async () => {
      await using store = await open()
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await store.events.append({ stream: first, expectedVersion: 1, events: [started] })
      const [, later] = await store.audit.entries(0, 10)
      expect(later?.keys).toMatchObject({ type: 'execution.started', agentId: agent })
    })

    it('holds texts as hashes alone', async () => {
      await using store = await open()
      const events: ExecutionEvent[] = [queued(agent), llmCalled(3, 4), completed, failed]
      await store.events.append({ stream: first, expectedVersion: 0, events })
      const entries = (await store.audit.entries(0, 10)).map(({ body }) => readEntry(body)?.data)
      expect(entries).toMatchObject([
        { input: text('{"text":"Hello"}'), isolation: 'process' },
        { prompt: text('Hi'), response: text('Hello'), promptTokens: 3, cost: 0.25 },
        { output: text('Hello'), iterations: 1 },
        { cause: 'exit_code', exitCode: 3 },
      ])
      expect(JSON.stringify(entries)).not.toContain('Hello')
      expect(JSON.stringify(entries)).not.toContain('ended with code')
    })

    it('records what belongs to no event, with it in one order', async () => {
      await using store = await open()
      await store.audit.record([called('one'), called('two')])
      await Promise.all([
        store.audit.record([called('three')]),
        store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] }),
        store.audit.record([called('four')]),
      ])
      await store.audit.record([])
      const entries = await store.audit.entries(0, 10)
      expect(entries.map(({ body }) => readEntry(body)?.data.route ?? 'event')).toEqual([
        'one',
        'two',
        'three',
        'event',
        'four',
      ])
    })

    it('has no entry of an append that failed, and goes on as if it had not been', async () => {
      await using store = await open()
      const conflicting = { stream: first, expectedVersion: 7, events: [started] }
      const impossible = { stream: second, expectedVersion: 0, events: [queued(agent), unknown] }
      const attempts = await Promise.allSettled([
        store.audit.record([called('before')]),
        store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] }),
        store.events.append(conflicting),
        store.events.append(impossible),
        store.events.append({ stream: first, expectedVersion: 1, events: [started] }),
        store.audit.record([called('behind')]),
      ])
      const failures = attempts.map(({ status }) => status === 'rejected')
      expect(failures).toEqual([false, false, true, true, false, false])
      expect(await types(store)).toEqual([
        'api.called',
        'execution.queued',
        'execution.started',
        'api.called',
      ])
      await isSound(store.audit)
    })

    it('keeps its entries when the stream they tell of is removed', async () => {
      await using store = await open()
      const events = [queued(agent), started, completed]
      await store.events.append({ stream: first, expectedVersion: 0, events })
      await store.events.remove(first)
      expect(await types(store)).toHaveLength(3)
      await isSound(store.audit)
    })

    it('grows a tree of exactly its entries, whose tiles can be read', async () => {
      await using store = await open()
      expect((await store.audit.head()).size).toBe(0)
      expect(await store.audit.size()).toBe(0)
      await isSound(store.audit)
      for (const count of [1, 1, 253, 1, 1, 60, 200]) {
        await store.audit.record(Array.from({ length: count }, (_, one) => called(`call ${one}`)))
        await isSound(store.audit)
      }
      const tile = await store.audit.tile({ level: 1, index: 0, width: 2 })
      expect(tile).toHaveLength(64)
    })

    it('has no tile beyond its end', async () => {
      await using store = await open()
      await store.audit.record([called('one')])
      for (const tile of [
        { level: 0, index: 0, width: 2 },
        { level: 0, index: 1, width: 1 },
        { level: 1, index: 0, width: 1 },
      ]) {
        await expect(store.audit.tile(tile)).rejects.toMatchObject({ code: 'audit.tile' })
      }
    })

    it('finds entries by what they are about, newest first', async () => {
      await using store = await open()
      const early = '2026-11-22T15:00:00.000Z'
      await store.audit.record([
        called('first', { at: early }),
        called('of somebody', { actor: 'ci' }),
        { at, type: 'policy.decided', agentId: agent, data: {} },
      ])
      await store.events.append({
        stream: first,
        expectedVersion: 0,
        events: [queued(agent), started],
      })
      const find = async (filter: AuditFilter, limit = 10) =>
        (await store.audit.find(filter, limit, new AbortController().signal)).map(
          ({ index }) => index,
        )
      expect(await find({})).toEqual([4, 3, 2, 1, 0])
      expect(await find({}, 2)).toEqual([4, 3])
      expect(await find({ before: 3 }, 2)).toEqual([2, 1])
      expect(await find({ type: 'api.called' })).toEqual([1, 0])
      expect(await find({ type: 'execution.*' })).toEqual([4, 3])
      expect(await find({ type: 'execution' })).toEqual([])
      expect(await find({ actor: 'ci' })).toEqual([1])
      expect(await find({ agentId: agent })).toEqual([4, 3, 2])
      expect(await find({ executionId: anExecutionId(1) })).toEqual([4, 3])
      expect(await find({ executionId: anExecutionId(1), type: 'execution.queued' })).toEqual([3])
      expect(await find({ executionId: anExecutionId(1), before: 4 })).toEqual([3])
      expect(await find({ executionId: anExecutionId(2) })).toEqual([])
      expect(await find({ until: at })).toEqual([0])
      expect(await find({ since: at, type: 'api.called' })).toEqual([1])
    })

    it('finds what lies far back', async () => {
      await using store = await open()
      await store.audit.record([called('needle', { actor: 'needle' })])
      const many = Array.from({ length: 500 }, (_, one) => called(`call ${one}`))
      for (let batch = 0; batch < 40; batch += 1) await store.audit.record(many)
      const { signal } = new AbortController()
      const found = await store.audit.find({ actor: 'needle' }, 1, signal)
      expect(found.map(({ index }) => index)).toEqual([0])
      expect(await store.audit.find({ actor: 'nobody' }, 1, signal)).toEqual([])
    })

    it('drops bodies, keeps the hashes, and says in the same commit that it did', async () => {
      await using store = await open()
      await store.audit.record(Array.from({ length: 600 }, (_, one) => called(`call ${one}`)))
      await store.audit.dropBodies(512, called('dropped', { type: 'audit.bodies-dropped' }))
      expect(await store.audit.firstKept()).toBe(512)
      const [oldest] = await store.audit.entries(0, 1)
      expect(oldest?.index).toBe(512)
      expect(await store.audit.find({ before: 512 }, 9, new AbortController().signal)).toEqual([])
      expect((await store.audit.head()).size).toBe(601)
      const read = (tile: Parameters<AuditStore['tile']>[0]) => store.audit.tile(tile)
      const root = rootOf(merkle, await makeStoredTree(merkle, 601, read).head(601))
      expect(hex(rootOf(merkle, await store.audit.head()))).toEqual(hex(root))
    })

    it('tells after each commit what it stored', async () => {
      await using store = await open()
      const heard: StoredEntry[] = []
      const subscription = store.audit.subscribe((entries) => heard.push(...entries))
      using _thrower = store.audit.subscribe(() => {
        throw new Error('a bug of the listener')
      })
      await store.audit.record([called('one')])
      await store.events.append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
      await store.events
        .append({ stream: first, expectedVersion: 0, events: [queued(agent)] })
        .catch(() => undefined)
      const plain = ({ body, ...entry }: StoredEntry) => ({ ...entry, entry: readEntry(body) })
      expect(heard.map(plain)).toEqual((await store.audit.entries(0, 10)).map(plain))
      subscription[Symbol.dispose]()
      await store.audit.record([called('two')])
      expect(heard).toHaveLength(2)
    })

    it('keeps the latest checkpoints', async () => {
      await using store = await open()
      expect(await store.audit.checkpoints()).toEqual([])
      for (let size = 1; size <= 120; size += 1) {
        await store.audit.saveCheckpoint({ size, note: `note ${size}`, key: 'key' })
      }
      const kept = (await store.audit.checkpoints()).slice(-100)
      expect(kept).toHaveLength(100)
      expect(kept[0]).toEqual({ size: 21, note: 'note 21', key: 'key' })
      expect(kept.at(-1)).toEqual({ size: 120, note: 'note 120', key: 'key' })
    })

    it('says which manifest and image an agent got', async () => {
      await using store = await open()
      const image = { reference: 'node:24', id: 'sha256:1', digest: 'sha256:2' }
      const events = [{ ...deployed('echo'), image }, updated('echo', 2)]
      await store.events.append({ stream: agentStream(agent), expectedVersion: 0, events })
      const entries = (await store.audit.entries(0, 10)).map(({ body }) => readEntry(body)?.data)
      expect(entries).toMatchObject([
        { name: 'echo', version: '1.0.0', revision: 1, image, manifest: expect.any(String) },
        { name: 'echo', version: '1.0.1', revision: 2 },
      ])
      expect(entries[0]?.manifest).not.toBe(entries[1]?.manifest)
    })
  })
}

/** The head, the stored hashes and the entries are one tree. */
async function isSound(audit: AuditStore): Promise<void> {
  const head = await audit.head()
  const entries = await audit.entries(0, 100_000)
  expect(entries.map(({ index }) => index)).toEqual(
    Array.from({ length: head.size }, (_, index) => index),
  )
  const tree = makeStoredTree(merkle, head.size, (tile) => audit.tile(tile))
  expect((await tree.head(head.size)).edge.map(hex)).toEqual(head.edge.map(hex))
  for (const { index, body } of entries) {
    const tile = tileAt(0, Math.floor(index / 256), head.size)
    if (tile === undefined) throw new Error('An entry without a tile')
    const start = (index % 256) * 32
    if (index % 16 !== 0 && index < head.size - 16) continue
    const leaf = (await audit.tile(tile)).subarray(start, start + 32)
    expect(hex(leaf)).toBe(hex(merkle.leaf(body)))
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
