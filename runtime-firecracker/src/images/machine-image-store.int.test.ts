import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { AegisError, type Image, type ImageStore } from '@aegis/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  configOf,
  dockerArchive,
  layoutArchive,
  piecesOf,
  sha256,
  type TestImage,
  tarOf,
} from '../testing/tar-of.ts'
import type { ImageRegistry } from './image-registry.ts'
import type { ImageSource } from './image-source.ts'
import { openMachineImages } from './machine-image-store.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'aegis-disks-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const never = new AbortController().signal
const image: TestImage = {
  layers: [
    tarOf([
      { path: 'bin', type: '5' },
      { path: 'bin/agent', content: 'agent' },
    ]),
  ],
  names: ['agent:1'],
  env: ['LANG=C.UTF-8', 'AEGIS_TOKEN=mine'],
}
const id = sha256(configOf(image))
const directory = () => join(home, 'disks')
const now = () => '2026-11-28T21:00:00.000Z'

const openStore = (source?: ImageSource, registry?: ImageRegistry) =>
  openMachineImages({
    directory: directory(),
    architecture: 'amd64',
    now,
    ...(source !== undefined && { source }),
    ...(registry !== undefined && { registry }),
  })

/** An engine with that one image, which can go away. */
function anEngine({ pulled = false } = {}) {
  const found: Image = {
    id,
    references: ['agent:1'],
    digests: [],
    sizeBytes: 1000,
    createdAt: now(),
    pulled,
  }
  let isThere = true
  let archives = 0
  const removed: string[] = []
  const reach = () => {
    if (!isThere) throw new AegisError('unavailable', 'engine.unreachable', 'No engine')
  }
  const store: ImageStore = {
    async list() {
      reach()
      return [found]
    },
    async find(reference) {
      reach()
      return [id, 'agent:1'].includes(reference) ? found : undefined
    },
    pull: async () => found,
    signatures: async () => [],
    async remove(one) {
      removed.push(one)
    },
  }
  const source: ImageSource = {
    store,
    async archive() {
      reach()
      archives++
      return piecesOf(dockerArchive(image))
    },
  }
  return {
    source,
    removed,
    leave: () => {
      isThere = false
    },
    archives: () => archives,
  }
}

/** A registry whose tags mean what a test says. */
function aRegistry(tags: Record<string, TestImage>) {
  let fetched = 0
  const registry: ImageRegistry = {
    nameOf: (reference) => (reference.startsWith('sha256:') ? undefined : reference),
    async find(reference) {
      const all = Object.entries(tags)
      const digestOf = (one: TestImage) => `reg/agent@sha256:${sha256(configOf(one)).slice(7)}`
      const found = all.find(([tag, one]) => [tag, digestOf(one)].includes(reference))?.[1]
      if (found === undefined) throw new AegisError('not-found', 'image.absent', 'No such image')
      const archive = layoutArchive({ ...found, pack: (layer) => gzipSync(layer) })
      return {
        id: sha256(configOf(found)),
        digest: digestOf(found),
        otherIds: [`sha256:${'e'.repeat(64)}`],
        sizeBytes: archive.length,
        layers: 1,
        async *archive(onProgress) {
          fetched++
          onProgress({ layersDone: 0, bytes: 10 })
          yield* piecesOf(archive)
        },
      }
    },
    signatures: async () => [{ payload: Buffer.from('p'), signature: Buffer.from('s') }],
  }
  return { registry, fetched: () => fetched }
}

const build = (store: ImageStore, name?: string) => {
  const archive = piecesOf(dockerArchive(image))
  return store.fromArchive?.({ archive, name }, () => undefined, never)
}

describe('images for machines', () => {
  it('are made of an archive, and found by name and by id, also by another process later', async () => {
    await using first = openStore()
    expect(await build(first.store)).toMatchObject({ id, references: ['agent:1'], pulled: true })
    await using second = openStore()
    for (const reference of ['agent:1', id, id.slice(7)])
      expect(await second.store.find(reference, never)).toMatchObject({ id })
    await using disk = await second.machines.open(id, never)
    expect(disk).toMatchObject({ fileSystem: 'erofs', env: { LANG: 'C.UTF-8' } })
    expect(disk.env).not.toHaveProperty('AEGIS_TOKEN')
    expect(existsSync(disk.path)).toBe(true)
  })

  it('bear the name they were given, which leads to the latest', async () => {
    await using images = openStore()
    await build(images.store, 'mine')
    const newer: TestImage = { ...image, env: ['NEW=1'] }
    const archive = piecesOf(dockerArchive(newer))
    await images.store.fromArchive?.({ archive, name: 'mine' }, () => undefined, never)
    expect((await images.store.find('mine', never))?.id).toBe(sha256(configOf(newer)))
    expect((await images.store.find(id, never))?.references).toEqual([])
  })

  it('are made of what an engine has when they are first needed, once for all who wait', async () => {
    const engine = anEngine()
    await using images = openStore(engine.source)
    expect((await images.store.find('agent:1', never))?.disk).toBeUndefined()
    const phases: string[] = []
    const prepare = () => images.store.prepare?.(id, ({ phase }) => phases.push(phase), never)
    await Promise.all([prepare(), prepare(), images.machines.open(id, never)])
    expect(engine.archives()).toBe(1)
    expect(new Set(phases)).toEqual(new Set(['converting']))
    expect((await images.store.list(never)).map(({ disk }) => disk?.machines)).toEqual([1])
  })

  it('boot without the engine they came from', async () => {
    const engine = anEngine()
    await using images = openStore(engine.source)
    await images.store.prepare?.(id, () => undefined, never)
    engine.leave()
    expect(await images.store.find(id, never)).toMatchObject({ id, disk: { alone: true } })
    await using _ = await images.machines.open(id, never)
    expect(await images.store.list(never)).toHaveLength(1)
  })

  it('are listed without their engine; who has none hears that it is away', async () => {
    const engine = anEngine()
    await using images = openStore(engine.source)
    engine.leave()
    await expect(images.store.list(never)).rejects.toMatchObject({ code: 'engine.unreachable' })
    await build(images.store, 'mine:1')
    expect(await images.store.list(never)).toMatchObject([{ references: ['mine:1'] }])
  })

  it('stay while a machine uses them, and leave the engine what is its own', async () => {
    const engine = anEngine()
    await using images = openStore(engine.source)
    {
      await using _ = await images.machines.open(id, never)
      await expect(images.store.remove(id, never)).rejects.toMatchObject({ code: 'image.used' })
    }
    await images.store.remove(id, never)
    expect(readdirSync(directory())).toEqual([])
    expect(engine.removed).toEqual([])
    const own = anEngine({ pulled: true })
    await using others = openStore(own.source)
    await others.store.remove(id, never)
    expect(own.removed).toEqual([id])
  })

  it('are not kept by a machine whose process died', async () => {
    await using images = openStore()
    await build(images.store)
    const entry = join(directory(), `${id.slice(7)}.2`)
    const { pid } = spawnSync('true')
    writeFileSync(join(entry, `use.${pid}-12345-0badcafe`), '')
    expect((await images.store.list(never)).map(({ disk }) => disk?.machines)).toEqual([0])
    await images.store.remove(id, never)
  })

  it('are made anew when their file is not what it was', async () => {
    const engine = anEngine()
    await using images = openStore(engine.source)
    await images.store.prepare?.(id, () => undefined, never)
    const path = join(directory(), `${id.slice(7)}.2`, 'image.erofs')
    truncateSync(path, 100)
    await using disk = await images.machines.open(id, never)
    expect(engine.archives()).toBe(2)
    expect(disk.path).toBe(path)
  })

  it('leave nothing half-made, neither after a failure nor after a crash', async () => {
    await using images = openStore()
    const broken = { archive: piecesOf(dockerArchive(image).subarray(0, 3000)) }
    await expect(images.store.fromArchive?.(broken, () => undefined, never)).rejects.toMatchObject({
      code: 'image.archive',
    })
    expect(readdirSync(directory())).toEqual([])
    const { pid } = spawnSync('true')
    mkdirSync(join(directory(), `.part-${pid}-12345-0badcafe`))
    mkdirSync(join(directory(), `${'0'.repeat(64)}.0`))
    await build(images.store)
    expect(await images.sweep()).toHaveLength(2)
    expect(readdirSync(directory())).toEqual([`${id.slice(7)}.2`])
  })

  const mayMount = spawnSync('mountpoint', ['-q', '/proc']).status === 0 && process.getuid?.() === 0

  it.skipIf(!mayMount)(
    'leave nothing on a disk that became full (only root may mount one)',
    async () => {
      mkdirSync(directory())
      const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'aegis-test', directory()])
      expect(mount.status).toBe(0)
      try {
        await using images = openStore()
        for (const megabytes of [1, 6]) {
          const content = Buffer.alloc(megabytes << 20)
          const archive = piecesOf(dockerArchive({ layers: [tarOf([{ path: 'big', content }])] }))
          const full = images.store.fromArchive?.({ archive }, () => undefined, never)
          await expect(full).rejects.toMatchObject({ kind: 'exhausted', code: 'image.space' })
          expect(readdirSync(directory())).toEqual([])
        }
      } finally {
        spawnSync('umount', [directory()])
      }
    },
  )

  it('are fetched from a registry where no engine is, once, and found without it', async () => {
    const remote = aRegistry({ 'reg/agent:1': image })
    await using images = openStore(undefined, remote.registry)
    expect(await images.store.find('reg/agent:1', never)).toBeUndefined()
    const phases: string[] = []
    const pull = (reference: string) =>
      images.store.pull(reference, ({ phase }) => phases.push(phase), never)
    const [pulled] = await Promise.all([pull('reg/agent:1'), pull('reg/agent:1')])
    const digest = `reg/agent@${id}`
    expect(pulled).toMatchObject({ id, references: ['reg/agent:1'], digests: [digest] })
    expect(pulled).toMatchObject({ pulled: true, disk: { alone: true } })
    expect(phases).toEqual(
      expect.arrayContaining(['resolving', 'downloading', 'converting', 'done']),
    )
    expect((await pull(digest)).id).toBe(id)
    expect(remote.fetched()).toBe(1)
    await using alone = openStore()
    for (const reference of ['reg/agent:1', digest, id, `sha256:${'e'.repeat(64)}`])
      expect(await alone.store.find(reference, never)).toMatchObject({ id })
    await using _ = await images.machines.open(id, never)
    expect(await images.store.signatures(digest, never)).toHaveLength(1)
  })

  it('are an engine’s again once there is one', async () => {
    const engine = anEngine()
    const remote = aRegistry({ 'reg/agent:1': image })
    let isExpected = false
    const source = { ...engine.source, isExpected: () => isExpected }
    await using images = openStore(source, remote.registry)
    expect(await images.store.find('agent:1', never)).toBeUndefined()
    expect(await images.store.list(never)).toEqual([])
    isExpected = true
    expect(await images.store.find('agent:1', never)).toMatchObject({ id })
    await images.store.pull('reg/agent:1', () => undefined, never)
    expect(remote.fetched()).toBe(0)
  })

  it('are what a tag means, and those of before by their digest', async () => {
    const tags: Record<string, TestImage> = { 'reg/agent:1': image }
    const { registry } = aRegistry(tags)
    await using images = openStore(undefined, registry)
    const pull = () => images.store.pull('reg/agent:1', () => undefined, never)
    await pull()
    const newer: TestImage = { ...image, env: ['NEW=1'] }
    tags['reg/agent:1'] = newer
    expect((await pull()).id).toBe(sha256(configOf(newer)))
    expect((await images.store.find('reg/agent:1', never))?.id).toBe(sha256(configOf(newer)))
    expect(await images.store.find(`reg/agent@${id}`, never)).toMatchObject({ id, references: [] })
    await images.store.remove(id, never)
    await expect(images.machines.open(id, never)).rejects.toThrow(/aegis image pull/)
  })

  it('are not made of what a registry sends, when that is not what it said', async () => {
    const { registry } = aRegistry({ 'reg/agent:1': image })
    const find: ImageRegistry['find'] = async (...asked) => ({
      ...(await registry.find(...asked)),
      id: `sha256:${'b'.repeat(64)}`,
    })
    await using images = openStore(undefined, { ...registry, find })
    const pull = images.store.pull('reg/agent:1', () => undefined, never)
    await expect(pull).rejects.toMatchObject({ code: 'image.archive' })
    expect(readdirSync(directory())).toEqual([])
  })

  it('say how to get one where there is none', async () => {
    await using images = openStore()
    const remedy = /aegis image build --from/
    await expect(images.machines.open(id, never)).rejects.toThrow(remedy)
    const pull = images.store.pull('agent:1', () => undefined, never)
    await expect(pull).rejects.toThrow(remedy)
  })

  it('are made by several processes at once, and one wins', async () => {
    const stores = Array.from({ length: 4 }, () => openStore())
    const built = await Promise.all(stores.map(({ store }) => build(store)))
    expect(new Set(built.map((one) => one?.id)).size).toBe(1)
    expect(readdirSync(directory())).toEqual([`${id.slice(7)}.2`])
    for (const store of stores) await store[Symbol.asyncDispose]()
  })
})
