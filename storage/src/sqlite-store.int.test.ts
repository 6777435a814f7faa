import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { agentId, type ExecutionEvent, executionId, type StreamId } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore } from './index.ts'

const corrupt = { name: 'AegisError', kind: 'unavailable', code: 'store.corrupt' }

let directory = ''
let path = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-sqlite-'))
  path = join(directory, 'aegis.db')
})
afterEach(() => rm(directory, { recursive: true }))

describe('the file', () => {
  it('holds everything after it is closed and opened again', async () => {
    {
      await using store = await openSqliteStore({ path })
      await fill(store, 3)
    }
    expect(await readdir(directory)).toEqual(['aegis.db'])
    await using store = await openSqliteStore({ path })
    expect(await store.events.read(stream(2))).toHaveLength(1)
    expect(await store.executions.nextQueued(9, new Set())).toHaveLength(3)
    expect(await store.agents.byName('echo')).toMatchObject({ executionCount: 3 })
  })

  it('is readable by its owner alone, whatever it was before', async () => {
    await writeFile(path, '', { mode: 0o666 })
    await using store = await openSqliteStore({ path })
    await fill(store, 1)
    for (const name of await readdir(directory)) {
      expect([name, (await stat(join(directory, name))).mode & 0o777]).toEqual([name, 0o600])
    }
  })

  it('commits what was asked for before it closes, and takes no more', async () => {
    const store = await openSqliteStore({ path })
    const append = store.events.append({ stream: stream(1), expectedVersion: 0, events: [queued] })
    await Promise.resolve()
    await store[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    expect(await append).toHaveLength(1)
    const closed = { kind: 'unavailable', code: 'store.closed' }
    const late = { stream: stream(2), expectedVersion: 0, events: [queued] }
    await expect(store.events.append(late)).rejects.toMatchObject(closed)
    await expect(store.events.read(stream(1))).rejects.toMatchObject(closed)
    await expect(store.agents.list()).rejects.toMatchObject(closed)
    await expect(store.executions.list({ limit: 1 })).rejects.toMatchObject(closed)
    await expect(store.executions.running()).rejects.toMatchObject(closed)
  })

  it('keeps no trace of what was removed', async () => {
    {
      await using store = await openSqliteStore({ path })
      await fill(store, 1)
      const secret: ExecutionEvent = {
        ...queued,
        type: 'execution.console',
        iteration: 1,
        stream: 'stdout',
        text: 'correct horse battery staple',
      }
      await store.events.append({ stream: stream(0), expectedVersion: 1, events: [secret] })
      await store.events.remove(stream(0))
    }
    const file = await open(path)
    expect((await file.readFile()).includes('battery staple')).toBe(false)
    await file.close()
  })
})

describe('a file that cannot be used is refused with the remedy', () => {
  it('when it is no database', async () => {
    await writeFile(path, 'Dear diary, '.repeat(1000))
    const refusal = openSqliteStore({ path })
    await expect(refusal).rejects.toMatchObject(corrupt)
    await expect(refusal).rejects.toThrow(`${path} is damaged. Restore it from a backup`)
  })

  it('when it is damaged', async () => {
    {
      await using store = await openSqliteStore({ path })
      await fill(store, 200)
    }
    await scribble(path, 4096, 100_000)
    await expect(useAll()).rejects.toMatchObject(corrupt)
  })

  it('when it is cut short', async () => {
    {
      await using store = await openSqliteStore({ path })
      await fill(store, 200)
    }
    await truncate(path, 40_000)
    await expect(useAll()).rejects.toMatchObject(corrupt)
  })

  it('when a newer version of AEGIS has written it', async () => {
    await openSqliteStore({ path }).then((store) => store[Symbol.asyncDispose]())
    edit(`insert into migrations (name, timestamp) values ('9999-hovercraft', '2030-01-01')`)
    const refusal = openSqliteStore({ path })
    await expect(refusal).rejects.toMatchObject({ kind: 'unsupported', code: 'store.newer' })
    await expect(refusal).rejects.toThrow('written by a newer version of AEGIS (9999-hovercraft)')
  })

  it('when it belongs to another program', async () => {
    edit('create table recipes (name text)')
    const foreign = { kind: 'unsupported', code: 'store.foreign' }
    const before = await readFile(path)
    await expect(openSqliteStore({ path })).rejects.toMatchObject(foreign)
    expect(await readFile(path)).toEqual(before)
  })

  it('when its folder is not there', async () => {
    const missing = join(directory, 'missing', 'aegis.db')
    const unopenable = { kind: 'unavailable', code: 'store.unopenable' }
    await expect(openSqliteStore({ path: missing })).rejects.toMatchObject(unopenable)
  })
})

describe('a row that cannot be understood', () => {
  it('of an event that a newer version wrote, is named', async () => {
    await openSqliteStore({ path }).then(async (store) => {
      await fill(store, 1)
      await store[Symbol.asyncDispose]()
    })
    edit(`update events set type = 'execution.teleported' where stream = '${stream(0)}'`)
    await using store = await openSqliteStore({ path })
    const read = store.events.read(stream(0))
    await expect(read).rejects.toMatchObject({ kind: 'unsupported', code: 'store.event-unknown' })
    await expect(read).rejects.toThrow('"execution.teleported"')
  })

  it('with a body that is no JSON, is damage', async () => {
    await openSqliteStore({ path }).then(async (store) => {
      await fill(store, 1)
      await store[Symbol.asyncDispose]()
    })
    edit(`update events set body = '{"half":'`)
    await using store = await openSqliteStore({ path })
    await expect(store.events.read(stream(0))).rejects.toMatchObject(corrupt)
    await expect(store.agents.revision(agent, 1)).rejects.toMatchObject(corrupt)
  })
})

const agent = agentId('a0000000-0000-4000-8000-000000000000')
const at = '2026-11-22T15:04:05.123Z'

const stream = (number: number): StreamId =>
  `execution-${executionId(`e0000000-0000-4000-8000-${String(number).padStart(12, '0')}`)}`

const queued = {
  type: 'execution.queued',
  agentId: agent,
  agentName: 'echo',
  agentRevision: 1,
  input: 'Hello',
  priority: 0,
  isolation: 'process',
  cpuMillicores: 250,
  memoryBytes: 134_217_728,
  at,
} as const satisfies ExecutionEvent

type Store = Awaited<ReturnType<typeof openSqliteStore>>

/** One agent, and so many executions that wait. */
async function fill({ events }: Store, executions: number): Promise<void> {
  const manifest = aManifest('echo')
  const deployed = { type: 'agent.deployed', manifest, revision: 1, at }
  await events.append({ stream: `agent-${agent}`, expectedVersion: 0, events: [deployed] })
  await Promise.all(
    Array.from({ length: executions }, (_, number) =>
      events.append({ stream: stream(number), expectedVersion: 0, events: [queued] }),
    ),
  )
}

/** Opens the store and reads all of it. */
async function useAll(): Promise<void> {
  await using store = await openSqliteStore({ path })
  await store.executions.list({ limit: 1000 })
  for (let number = 0; number < 200; number += 1) await store.events.read(stream(number))
}

function edit(sql: string): void {
  using database = new DatabaseSync(path)
  database.exec(sql)
}

async function scribble(path: string, from: number, length: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(length, 0xa5), 0, length, from)
  await file.close()
}
