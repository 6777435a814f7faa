import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError, makeAuditControl } from '@aegis/core'
import { bodiesDropped, entriesPath, tilePath, tilesBetween } from '@aegis/core/audit'
import { makeInMemoryStore } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { exportLog, type ReadableLog } from './export-log.ts'
import { anEntry, entries, never, openAuditScene, pause } from './testing/audit-scene.ts'
import { verifyExport } from './verify-export.ts'

describe('an export', () => {
  it('has exactly the files of the specification', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(600))
    expect(await scene.export()).toMatchObject({ size: 600, before: 0, dropped: 0 })
    const expected = [
      'audit.pub',
      'checkpoint',
      ...[...tilesBetween(0, 600)].map((tile) => tilePath({ kind: 'hashes', ...tile })),
      entriesPath(0, 256),
      entriesPath(1, 256),
      entriesPath(2, 88),
    ]
    expect(await filesIn(scene.target)).toEqual(expected.sort())
    expect(await scene.verify()).toMatchObject({ isSound: true, checked: 600 })
  })

  it('of a log without entries is sound too', async () => {
    await using scene = await openScene()
    expect(await scene.export()).toMatchObject({ size: 0 })
    expect(await scene.verify()).toMatchObject({ isSound: true, size: 0 })
  })

  it('is continued: what was there is not read again, and partial tiles give way', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(600))
    await scene.export()
    const before = await stat(join(scene.target, 'tile/entries/000'))
    await scene.audit.record(entries(200, 600))
    scene.read.length = 0
    expect(await scene.export()).toMatchObject({ size: 800, before: 600 })
    expect(scene.read).toEqual([
      'tile/0/002',
      'tile/0/003.p/32',
      'tile/1/000.p/3',
      'tile/entries/002',
      'tile/entries/003.p/32',
    ])
    expect((await stat(join(scene.target, 'tile/entries/000'))).ino).toBe(before.ino)
    expect((await filesIn(scene.target)).filter((path) => path.includes('.p/'))).toEqual([
      'tile/0/003.p/32',
      'tile/1/000.p/3',
      'tile/entries/003.p/32',
    ])
    expect(await scene.verify()).toMatchObject({ isSound: true, checked: 800 })
    scene.read.length = 0
    await scene.export()
    expect(scene.read).toEqual(['tile/entries/003.p/32'])
  })

  it('goes on where it was interrupted', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(900))
    let left = 5
    const failing: ReadableLog = {
      ...scene.log,
      async tile(path) {
        if (left-- === 0) throw new Error('the power went')
        return scene.log.tile(path)
      },
    }
    await expect(scene.export({ log: failing })).rejects.toThrow('the power went')
    expect(await filesIn(scene.target)).not.toContain('checkpoint')
    scene.read.length = 0
    await scene.export()
    expect(scene.read).not.toContain('tile/0/000')
    expect(await scene.verify()).toMatchObject({ isSound: true, checked: 900 })
  })

  it('waits while the node wants fewer calls', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(10))
    let refused = false
    const busy: ReadableLog = {
      ...scene.log,
      async tile(path) {
        if (!refused) {
          refused = true
          throw new AegisError('exhausted', 'access.rate', 'Ask again in 1 s')
        }
        return scene.log.tile(path)
      },
    }
    expect(await scene.export({ log: busy })).toMatchObject({ size: 10 })
  })

  it('leaves out what it is told to, and what the log has dropped', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(600))
    await scene.export({ from: 300 })
    expect(await filesIn(scene.target)).not.toContain('tile/entries/000')
    expect(await scene.verify()).toMatchObject({ isSound: false, findings: [{ code: 'missing' }] })
    expect(await scene.verify(256)).toMatchObject({ isSound: true, dropped: 256, checked: 344 })
    await rm(scene.target, { recursive: true })
    const entry = anEntry(600, { type: bodiesDropped, data: { before: 512 } })
    await scene.audit.dropBodies(512, entry)
    expect(await scene.export()).toMatchObject({ size: 601, dropped: 512 })
    expect(await scene.verify()).toMatchObject({ isSound: true, dropped: 512, checked: 89 })
  })

  it('keeps to its directory', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(3))
    await scene.export()
    await writeFile(join(scene.target, 'audit.pub'), 'another+12345678+key\n')
    const conflict = { kind: 'conflict', code: 'audit.export' }
    await expect(scene.export()).rejects.toMatchObject(conflict)
    await rm(join(scene.target, 'audit.pub'))
    await expect(scene.export()).rejects.toMatchObject(conflict)
    expect(await readFile(join(scene.target, 'checkpoint'), 'utf8')).toContain('aegis/test')
  })

  it('does not take over a log that goes on otherwise than what it holds', async () => {
    await using scene = await openScene()
    await scene.audit.record(entries(300))
    await scene.export()
    const other = makeInMemoryStore()
    await other.audit.record([anEntry(77), ...entries(499)])
    await rm(join(scene.keys, 'audit.checkpoint'))
    await using notary = await scene.open(other.audit)
    const log = makeAuditControl({ audit: other.audit, notary, agents: other.agents, pause })
    const before = await readFile(join(scene.target, 'checkpoint'), 'utf8')
    await expect(scene.export({ log })).rejects.toMatchObject({ code: 'audit.forked' })
    expect(await readFile(join(scene.target, 'checkpoint'), 'utf8')).toBe(before)
    const short = makeInMemoryStore()
    await rm(join(scene.keys, 'audit.checkpoint'))
    await using younger = await scene.open(short.audit)
    const empty = makeAuditControl({
      audit: short.audit,
      notary: younger,
      agents: short.agents,
      pause,
    })
    await expect(scene.export({ log: empty })).rejects.toMatchObject({ code: 'audit.forked' })
  })
})

async function openScene() {
  const scene = await openAuditScene()
  const notary = await scene.open()
  const { agents } = makeInMemoryStore()
  const control = makeAuditControl({ audit: scene.audit, notary, agents, pause })
  const read: string[] = []
  const log: ReadableLog = {
    ...control,
    tile(path) {
      read.push(path)
      return control.tile(path)
    },
  }
  const target = join(scene.directory, 'export')
  return {
    ...scene,
    log,
    /** Which tiles were asked for. */
    read,
    target,
    export: (options: { log?: ReadableLog; from?: number } = {}) =>
      exportLog({ log, directory: target, onProgress: () => undefined, signal: never, ...options }),
    verify: (from = 0) =>
      verifyExport({ directory: target, key: notary.signer.key, from, pause, signal: never }),
    async [Symbol.asyncDispose]() {
      await notary[Symbol.asyncDispose]()
      await scene[Symbol.asyncDispose]()
    },
  }
}

const filesIn = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
