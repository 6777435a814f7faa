import { randomBytes } from 'node:crypto'
import {
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { agentId } from '@aegis/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { snapshotFiles } from './snapshot-record.ts'
import { openSnapshotStore, type SnapshotStore } from './snapshot-store.ts'

const never = new AbortController().signal
const facts = { monitor: 'QEMU 7.2.22', kernel: 'a1' }
const version = { agentId: agentId('0f-a'), agentRevision: 3 }
const about = { ...version, facts, guest: { standby: 5 } }
const name = '0f-a.3'

let directory: string
let key: Uint8Array
let store: SnapshotStore

const openStore = (most = 4) => openSnapshotStore({ directory, key: async () => key, most })
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-snapshots-'))
  key = randomBytes(32)
  store = openStore()
})
afterEach(() => rm(directory, { recursive: true, force: true }))

/** Larger than one piece, so that pieces are told apart. */
const memoryBytes = (4 << 20) + 100

async function make(own: Partial<typeof about> = {}) {
  await using workshop = await store.workshop()
  for (const file of snapshotFiles) await writeFile(join(workshop.directory, file), `a ${file}`)
  await truncate(join(workshop.directory, 'memory'), memoryBytes)
  await store.add(workshop.directory, { ...about, ...own }, never)
}

async function flip(file: string, at: number) {
  await using handle = await open(join(directory, name, file), 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, at)
  byte.writeUInt8(byte.readUInt8() ^ 1)
  await handle.write(byte, 0, 1, at)
}

describe('a snapshot store', () => {
  it('gives back what was kept, to the next owner too', async () => {
    await make()
    for (const owner of [store, openStore()]) {
      await using kept = await owner.open(version, facts, never)
      expect(kept?.guest).toEqual({ standby: 5 })
      expect(await readFile(kept?.statePath ?? '', 'utf8')).toBe('a state')
      expect((await stat(kept?.memoryPath ?? '')).size).toBe(memoryBytes)
    }
    expect(await store.has({ ...version, agentRevision: 2 })).toBe(false)
    expect(await store.open({ ...version, agentRevision: 2 }, facts, never)).toBeUndefined()
  })

  it('refuses one that was put in the place of another', async () => {
    await make({ agentId: agentId('0f-b') })
    await rename(join(directory, '0f-b.3'), join(directory, name))
    await expect(store.open(version, facts, never)).rejects.toMatchObject({
      code: 'snapshot.altered',
    })
  })

  it.each([
    ['state', 0],
    ['memory', 4 << 20],
    ['memory', memoryBytes - 1],
    ['scratch.tar', 3],
    ['record.json', 30],
    ['seal', 0],
  ])('refuses one with a flipped bit in %s at %i, and removes it', async (file, at) => {
    await make()
    await flip(file, at)
    for (const code of ['snapshot.altered', undefined]) {
      const opened = openStore().open(version, facts, never)
      if (code === undefined) expect(await opened).toBeUndefined()
      else await expect(opened).rejects.toMatchObject({ kind: 'denied', code })
    }
    expect(await readdir(directory)).toEqual([])
  })

  it('sees a change that is made after it has looked', async () => {
    await make()
    await (await store.open(version, facts, never))?.[Symbol.asyncDispose]()
    await flip('memory', 0)
    await expect(store.open(version, facts, never)).rejects.toMatchObject({
      code: 'snapshot.altered',
    })
  })

  it('refuses one without a file, one cut short, one of another key', async () => {
    for (const spoil of [
      () => rm(join(directory, name, 'state')),
      () => truncate(join(directory, name, 'memory'), 4 << 20),
      async () => {
        key = randomBytes(32)
      },
    ]) {
      await make()
      await spoil()
      await expect(openStore().open(version, facts, never)).rejects.toMatchObject({
        code: 'snapshot.altered',
      })
    }
  })

  it('refuses one of another version, and says what is another', async () => {
    await make()
    const opened = store.open(version, { ...facts, monitor: 'QEMU 8' }, never)
    await expect(opened).rejects.toMatchObject({
      kind: 'denied',
      code: 'snapshot.version',
      message: expect.stringContaining('monitor was QEMU 7.2.22 and is QEMU 8'),
    })
    expect(await store.has(version)).toBe(false)
  })

  it('keeps one for each agent, and as many as it may, those that were used last', async () => {
    store = openStore(2)
    const other = { agentId: agentId('0f-b'), agentRevision: 1 }
    await make({ agentRevision: 1 })
    await make()
    expect(await store.has({ ...version, agentRevision: 1 })).toBe(false)
    await make(other)
    await (await store.open(version, facts, never))?.[Symbol.asyncDispose]()
    await make({ agentId: agentId('0f-c') })
    expect(await store.has(version)).toBe(true)
    expect(await store.has(other)).toBe(false)
  })

  it('leaves the files of one that is removed to whoever restores it now', async () => {
    await make()
    const kept = await store.open(version, facts, never)
    await store.retain(() => false)
    expect(await store.has(version)).toBe(false)
    expect(await readFile(kept?.statePath ?? '', 'utf8')).toBe('a state')
    await kept?.[Symbol.asyncDispose]()
    expect(await readdir(directory)).toEqual([])
  })

  it('removes what a dead owner left half-made, and nothing of one that gives up', async () => {
    await make()
    {
      await using _ = await store.workshop()
    }
    await store.workshop()
    expect(await store.sweep()).toEqual([])
    expect(await openStore().sweep()).toHaveLength(1)
    expect(await readdir(directory)).toEqual([name])
    await expect(store.add(join(directory, 'nowhere'), about, never)).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  it('believes no record that it has not sealed, whatever it says', async () => {
    await make()
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.stringMatching(/^[0-9a-f]{0,80}$/), async (text, seal) => {
        await make()
        await rm(join(directory, name, 'record.json'))
        await writeFile(join(directory, name, 'record.json'), text)
        await rm(join(directory, name, 'seal'))
        await writeFile(join(directory, name, 'seal'), seal)
        await expect(store.open(version, facts, never)).rejects.toMatchObject({
          code: 'snapshot.altered',
        })
      }),
      { numRuns: 25 },
    )
  })
})
