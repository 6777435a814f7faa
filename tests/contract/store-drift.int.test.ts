import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentEvent, ExecutionEvent, ExecutionStatus, StreamId } from '@aegis/core'
import { makeMerkleHash, readEntry, rootOf } from '@aegis/core/audit'
import { aManifest, makeInMemoryStore, pureSha256 } from '@aegis/core/testing'
import { openSqliteStore } from '@aegis/storage'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { StoreUnderTest } from './store-contract.ts'
import {
  agentStream,
  anAgentId,
  anExecutionId,
  at,
  cancelled,
  completed,
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

it('the two stores answer alike, whatever happens in them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { maxLength: 12 }), async (turns) => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-drift-'))
      try {
        await using sqlite = await openSqliteStore({ path: join(directory, 'aegis.db') })
        const memory = makeInMemoryStore()
        for (const steps of turns) {
          // All steps of a turn are asked for at once, so that they share a commit.
          const outcomes = async (store: Stores) =>
            Promise.all(steps.map((step) => outcomeOf(store, step)))
          expect(await outcomes(sqlite)).toEqual(await outcomes(memory))
        }
        expect(await everything(sqlite)).toEqual(await everything(memory))
      } finally {
        await rm(directory, { recursive: true })
      }
    }),
    { numRuns: 100 },
  )
})

type Stores = Omit<StoreUnderTest, typeof Symbol.asyncDispose>

type Step =
  | { readonly do: 'remove'; readonly stream: StreamId }
  | {
      readonly do: 'append'
      readonly stream: StreamId
      readonly events: readonly (AgentEvent | ExecutionEvent)[]
      /** How far the caller's idea of the version is off: 0 mostly. */
      readonly off: number
    }

async function outcomeOf({ events }: Stores, step: Step): Promise<unknown> {
  if (step.do === 'remove') return events.remove(step.stream)
  const { stream, off } = step
  const version = (await events.read(stream)).length
  const expectedVersion = Math.max(0, version + off)
  return events
    .append({ stream, expectedVersion, events: step.events })
    .catch(({ kind, code, message }) => ({ kind, code, message }))
}

const merkle = makeMerkleHash(pureSha256)
const numbers = [1, 2, 3]
const agents = numbers.map(anAgentId)
const executions = [1, 2, 3, 4, 5, 6].map(anExecutionId)
const statuses: readonly ExecutionStatus[] = [
  'pending',
  'queued',
  'running',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
]

/** All that a store can be asked. */
async function everything(store: Stores): Promise<unknown> {
  const streams = [...agents.map(agentStream), ...executions.map(executionStream)]
  return {
    streams: await Promise.all(streams.map((stream) => store.events.read(stream))),
    agents: await store.agents.list(),
    byId: await Promise.all(agents.map((id) => store.agents.byId(id))),
    byName: await Promise.all(['echo', 'poet'].map((name) => store.agents.byName(name))),
    manifests: await Promise.all(
      agents.flatMap((id) => numbers.map((revision) => store.agents.revision(id, revision))),
    ),
    lists: await Promise.all([
      store.executions.list({ limit: 2 }),
      ...statuses.map((status) => store.executions.list({ status, limit: 9 })),
      ...agents.map((agentId) => store.executions.list({ agentId, limit: 9 })),
    ]),
    execution: await Promise.all(executions.map((id) => store.executions.byId(id))),
    queue: await store.executions.nextQueued(9, new Set(executions.slice(0, 1))),
    running: await store.executions.running(),
    counts: await store.executions.countByStatus(),
    audit: (await store.audit.entries(0, 1000)).map(({ index, body, keys }) => ({
      index,
      keys,
      entry: readEntry(body),
    })),
    root: Buffer.from(rootOf(merkle, await store.audit.head())).toString('hex'),
  }
}

/** A name belongs to one agent: ids follow from names. */
const nameOf = (number: number): string => ['echo', 'poet', 'greeter'][number - 1] ?? ''

const agentEvent = (number: number): fc.Arbitrary<AgentEvent> => {
  const name = nameOf(number)
  const manifest = fc
    .record({ description: fc.string({ unit: 'binary' }), label: fc.string({ unit: 'binary' }) })
    .map(({ description, label }) => {
      const { metadata, ...rest } = aManifest(name)
      return { ...rest, metadata: { ...metadata, description, labels: { label } } }
    })
  const revision = fc.integer({ min: 1, max: 3 })
  return fc.oneof(
    fc.record({ type: fc.constant('agent.deployed' as const), manifest, revision, at: instant }),
    fc.record({ type: fc.constant('agent.updated' as const), manifest, revision, at: instant }),
    fc.record({ type: fc.constant('agent.paused' as const), at: instant }),
    fc.record({ type: fc.constant('agent.resumed' as const), at: instant }),
    fc.record({ type: fc.constant('agent.removed' as const), at: instant }),
  )
}

const instant = fc.constantFrom(at, '2026-11-22T16:00:00.000Z', '2027-01-01T00:00:00.000Z')

const executionQueued = fc
  .tuple(fc.constantFrom(...agents), fc.integer({ min: -100, max: 100 }))
  .map(([agent, priority]): ExecutionEvent => queued(agent, priority))

const executionEvent: fc.Arbitrary<ExecutionEvent> = fc
  .tuple(
    fc.oneof(
      executionQueued,
      fc.constantFrom(started, interrupted, completed, failed, timedOut, cancelled),
      fc.integer({ min: 1, max: 5 }).map(iterationStarted),
      fc.tuple(fc.nat(), fc.nat()).map(([prompt, completion]) => llmCalled(prompt, completion)),
      fc.string({ unit: 'binary' }).map(printed),
    ),
    instant,
  )
  .map(([event, at]) => ({ ...event, at }))

const history = fc.oneof(
  ...numbers.map((number) =>
    fc.record({
      stream: fc.constant(agentStream(anAgentId(number))),
      events: fc.array<AgentEvent | ExecutionEvent>(agentEvent(number), { maxLength: 4 }),
    }),
  ),
  fc.record({
    stream: fc.constantFrom(...executions).map(executionStream),
    events: fc.array<AgentEvent | ExecutionEvent>(executionEvent, { maxLength: 6 }),
  }),
  fc.record({
    stream: fc.constantFrom(...executions).map(executionStream),
    events: fc.tuple<(AgentEvent | ExecutionEvent)[]>(executionQueued),
  }),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(history, fc.constantFrom(0, 0, 0, 0, -1, 1))
      .map(([{ stream, events }, off]): Step => ({ do: 'append', stream, events, off })),
  },
  {
    weight: 1,
    arbitrary: history.map(({ stream }): Step => ({ do: 'remove', stream })),
  },
)

const turn = fc.array(step, { minLength: 1, maxLength: 5 })
