import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { agentId, type ExecutionEvent, executionId, type StreamId } from '@aegis/core'
import {
  emptyHead,
  growTree,
  makeMerkleHash,
  makeStoredTree,
  readEntry,
  rootOf,
} from '@aegis/core/audit'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore, type Store } from './index.ts'
import { sha256 } from './sha256.ts'

const at = '2026-11-22T15:04:05.123Z'
const merkle = makeMerkleHash(sha256)

let directory = ''
let path = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-audit-writer-'))
  path = join(directory, 'aegis.db')
  await openSqliteStore({ path }).then((store) => store[Symbol.asyncDispose]())
  // Priorities that make an append fail alone, all of its group fail, or the commit fail.
  edit(`
    create table parent (id integer primary key);
    create table child (id integer references parent deferrable initially deferred);
    create trigger fail_alone before insert on executions when new.priority = 11
      begin select raise(abort, 'alone'); end;
    create trigger fail_group before insert on executions when new.priority = 12
      begin select raise(rollback, 'the disk is full'); end;
    create trigger fail_commit before insert on executions when new.priority = 13
      begin insert into child values (1); end;
  `)
})
afterEach(() => rm(directory, { recursive: true }))

it('has in its tree exactly what was committed, whatever fails beside it', async () => {
  let next = 0
  const kind = fc.constantFrom('entry', 'event', 'event', 'alone', 'group', 'commit', 'conflict')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(kind, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
      async (groups) => {
        const stored: number[] = []
        const failed: number[] = []
        {
          await using store = await openSqliteStore({ path })
          const before = (await store.audit.head()).size
          for (const group of groups) {
            // Asked for in one turn, so that they share a transaction.
            const work = group.map((each) => {
              const number = next++
              return attempt(store, each, number).then(
                () => void stored.push(number),
                () => void failed.push(number),
              )
            })
            await Promise.all(work)
            await checkTree(store)
          }
          const numbers = await numbersFrom(store, before)
          expect(numbers.toSorted((a, b) => a - b)).toEqual(stored.toSorted((a, b) => a - b))
          expect(numbers.filter((number) => failed.includes(number))).toEqual([])
        }
        await using again = await openSqliteStore({ path })
        await checkTree(again)
      },
    ),
    { numRuns: 60 },
  )
})

it('goes on behind a group that failed, with no index left out', async () => {
  await using store = await openSqliteStore({ path })
  await attempt(store, 'entry', 1)
  const results = await Promise.allSettled([
    attempt(store, 'entry', 2),
    attempt(store, 'group', 3),
    attempt(store, 'entry', 4),
  ])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await attempt(store, 'event', 5)
  expect(await numbersFrom(store, 0)).toEqual([1, 5])
  await checkTree(store)
})

it('appends nothing more where somebody has put rows in the way', async () => {
  edit(`insert into audit_entries values (0, '', '', null, null, null, x'00')`)
  await using store = await openSqliteStore({ path })
  const damaged = { kind: 'unavailable', code: 'audit.damaged' }
  await expect(attempt(store, 'entry', 1)).rejects.toMatchObject(damaged)
  await expect(attempt(store, 'event', 2)).rejects.toMatchObject(damaged)
  expect(await store.events.read(streamOf(2))).toEqual([])
})

const priorities: Readonly<Record<string, number>> = { event: 0, alone: 11, group: 12, commit: 13 }

async function attempt(store: Store, kind: string, number: number): Promise<void> {
  if (kind === 'entry') {
    await store.audit.record([{ at, type: 'test.happened', data: { number } }])
    return
  }
  const queued: ExecutionEvent = {
    type: 'execution.queued',
    agentId: agentId('a0000000-0000-4000-8000-000000000000'),
    agentName: String(number),
    agentRevision: 1,
    input: '',
    priority: priorities[kind] ?? 0,
    isolation: 'process',
    cpuMillicores: 1,
    memoryBytes: 1,
    at,
  }
  const expectedVersion = kind === 'conflict' ? 5 : 0
  await store.events.append({ stream: streamOf(number), expectedVersion, events: [queued] })
}

/** The numbers in the log's entries from an index on, in their order. */
async function numbersFrom({ audit }: Store, from: number): Promise<number[]> {
  return (await audit.entries(from, 10_000)).map(({ index, body }, offset) => {
    expect(index).toBe(from + offset)
    const data = readEntry(body)?.data ?? {}
    return Number(data.number ?? data.agentName)
  })
}

/** What is in memory, in the table of hashes and in that of entries is one tree. */
async function checkTree({ audit }: Store): Promise<void> {
  const head = await audit.head()
  const tree = makeStoredTree(merkle, head.size, (tile) => audit.tile(tile))
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  expect((await tree.head(head.size)).edge.map(hex)).toEqual(head.edge.map(hex))
  const all = await audit.entries(0, 10_000)
  expect(all).toHaveLength(head.size)
  const leaves = all.map(({ body }) => merkle.leaf(body))
  const grown = growTree(merkle, emptyHead, leaves, () => undefined)
  expect(hex(rootOf(merkle, grown))).toBe(hex(rootOf(merkle, head)))
}

const streamOf = (number: number): StreamId =>
  `execution-${executionId(`e0000000-0000-4000-8000-${String(number).padStart(12, '0')}`)}`

function edit(sql: string): void {
  using database = new DatabaseSync(path)
  database.exec(sql)
}
