import { chmod, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { openCheckpoint, parseVerifierKey, readEntry, rootOf } from '@aegis/core/audit'
import { makeInMemoryStore } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { auditCrypto, merkleHash } from './audit-crypto.ts'
import { openAuditKey } from './audit-key.ts'
import { makeCheckpointer } from './checkpointer.ts'
import { anEntry, entries, logger, openAuditScene } from './testing/audit-scene.ts'

const forked = { kind: 'unavailable', code: 'audit.forked' }

describe('the key of the audit', () => {
  it('is made once, readable by its owner alone, with a public half that anybody may read', async () => {
    await using scene = await openAuditScene()
    const first = await scene.open()
    await first[Symbol.asyncDispose]()
    expect((await readdir(scene.keys)).sort()).toEqual([
      'audit.checkpoint',
      'audit.key',
      'audit.pub',
    ])
    expect((await stat(join(scene.keys, 'audit.key'))).mode & 0o777).toBe(0o600)
    const line = await readFile(join(scene.keys, 'audit.pub'), 'utf8')
    expect(line).toMatch(/^aegis\/test\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\n$/)
    await using second = await scene.open()
    expect(second.signer.key).toEqual(first.signer.key)
    expect(parseVerifierKey(line, auditCrypto.sha256)).toEqual(first.signer.key)
  })

  it('is one for all who make it at once', async () => {
    await using scene = await openAuditScene()
    const path = join(scene.directory, 'new', 'audit.key')
    const options = { path, origin: undefined, fallback: 'aegis/test' }
    const signers = await Promise.all(Array.from({ length: 20 }, () => openAuditKey(options)))
    expect(new Set(signers.map(({ key }) => Buffer.from(key.publicKey).toString('hex'))).size).toBe(
      1,
    )
    expect(await readdir(join(scene.directory, 'new'))).toEqual(['audit.key'])
  })

  it('does not print', async () => {
    await using scene = await openAuditScene()
    await using notary = await scene.open()
    const secret = (await readFile(join(scene.keys, 'audit.key'), 'utf8')).trim().split('+').at(-1)
    expect(inspect(notary, { depth: 6, showHidden: true })).not.toContain(secret)
  })

  it.each([0o640, 0o604, 0o660, 0o666])('is refused with mode %o', async (mode) => {
    await using scene = await openAuditScene()
    await (await scene.open())[Symbol.asyncDispose]()
    await chmod(join(scene.keys, 'audit.key'), mode)
    await expect(scene.open()).rejects.toMatchObject({
      kind: 'denied',
      code: 'audit.key-readable',
      message: expect.stringContaining('chmod 600'),
    })
  })

  it('is refused where it is a link, or no key', async () => {
    await using scene = await openAuditScene()
    await (await scene.open())[Symbol.asyncDispose]()
    const path = join(scene.keys, 'audit.key')
    const text = await readFile(path, 'utf8')
    const malformed = { code: 'audit.key-malformed' }
    for (const content of ['', 'PRIVATE+KEY+a', text.replace('aegis/test', 'aegis/toast')]) {
      await writeFile(path, content)
      await expect(scene.open()).rejects.toMatchObject(malformed)
      expect(await readFile(path, 'utf8')).toBe(content)
    }
    await rename(path, join(scene.directory, 'elsewhere'))
    await symlink(join(scene.directory, 'elsewhere'), path)
    await expect(scene.open()).rejects.toMatchObject(malformed)
  })

  it('keeps its name, whatever the configuration says later', async () => {
    await using scene = await openAuditScene()
    const path = join(scene.directory, 'audit.key')
    await openAuditKey({ path, origin: 'example.com/log', fallback: 'aegis/test' })
    const again = { path, origin: undefined, fallback: 'aegis/test' }
    expect((await openAuditKey(again)).key.name).toBe('example.com/log')
    await expect(openAuditKey({ ...again, origin: 'example.com/other' })).rejects.toMatchObject({
      code: 'audit.origin',
    })
    const spaced = { ...again, path: `${path}.2`, origin: 'two words' }
    await expect(openAuditKey(spaced)).rejects.toMatchObject({ code: 'audit.key-name' })
  })
})

describe('checkpoints', () => {
  it('follow an append by less than a second, once for many', async () => {
    await using scene = await openAuditScene()
    await using notary = await scene.open()
    const saved: number[] = []
    const save = scene.audit.saveCheckpoint
    const signed = Promise.withResolvers<number>()
    Object.assign(scene.audit, {
      saveCheckpoint: async (checkpoint: Parameters<typeof save>[0]) => {
        await save(checkpoint)
        saved.push(checkpoint.size)
        signed.resolve(performance.now())
      },
    })
    const beganMs = performance.now()
    for (let number = 0; number < 20; number += 1) await scene.audit.record([anEntry(number)])
    expect((await signed.promise) - beganMs).toBeLessThan(1000)
    expect(saved).toEqual([20])
    const note = (await scene.audit.checkpoints()).at(-1)?.note ?? ''
    const { size, root } = openCheckpoint(note, notary.signer.key, notary.verify)
    expect(size).toBe(20)
    expect(Buffer.from(root)).toEqual(Buffer.from(rootOf(merkleHash, await scene.audit.head())))
  })

  it('are made when the node closes, and when it starts after a crash', async () => {
    await using scene = await openAuditScene()
    {
      await using notary = await scene.open()
      await scene.audit.record(entries(3))
      await notary[Symbol.asyncDispose]()
    }
    expect((await scene.audit.checkpoints()).at(-1)?.size).toBe(3)
    await scene.audit.record(entries(4)) // Nobody signed for these.
    await using _notary = await scene.open()
    expect((await scene.audit.checkpoints()).at(-1)?.size).toBe(7)
    const copy = await readFile(join(scene.keys, 'audit.checkpoint'), 'utf8')
    expect(copy).toBe((await scene.audit.checkpoints()).at(-1)?.note)
  })

  it('are tried again when one cannot be stored', async () => {
    await using scene = await openAuditScene()
    const { signer } = await scene.open()
    let failures = 2
    const stored = Promise.withResolvers<void>()
    const store = {
      ...scene.audit,
      async saveCheckpoint(checkpoint: Parameters<typeof scene.audit.saveCheckpoint>[0]) {
        if (failures-- > 0) throw new Error('the disk is full')
        await scene.audit.saveCheckpoint(checkpoint)
        stored.resolve()
      },
    }
    const checkpointPath = join(scene.directory, 'copy')
    await using _checkpointer = makeCheckpointer({
      store,
      signer,
      last: undefined,
      checkpointPath,
      logger,
      delayMs: 5,
      retryMs: 5,
    })
    await store.record([anEntry(1)])
    await stored.promise
    expect((await scene.audit.checkpoints()).at(-1)?.size).toBe(1)
  })
})

describe('a node refuses to go on', () => {
  it('with a log that is shorter than what was signed', async () => {
    await using scene = await openAuditScene()
    await scene.audit.record(entries(10))
    await (await scene.open())[Symbol.asyncDispose]()
    const older = makeInMemoryStore().audit
    await older.record(entries(6))
    const start = scene.open(older)
    await expect(start).rejects.toMatchObject(forked)
    await expect(start).rejects.toThrow('holds 6 entries, but 10 were signed')
    await expect(scene.open(older)).rejects.toThrow('aegis audit verify')
  })

  it('with a log that begins otherwise than what was signed', async () => {
    await using scene = await openAuditScene()
    await scene.audit.record(entries(10))
    await (await scene.open())[Symbol.asyncDispose]()
    const other = makeInMemoryStore().audit
    await other.record([...entries(9), anEntry(99), ...entries(5)])
    await expect(scene.open(other)).rejects.toMatchObject(forked)
  })

  it('with a checkpoint that its key has not signed', async () => {
    await using scene = await openAuditScene()
    await scene.audit.record(entries(10))
    await (await scene.open())[Symbol.asyncDispose]()
    const path = join(scene.keys, 'audit.checkpoint')
    const note = await readFile(path, 'utf8')
    await writeFile(path, note.replace('\n10\n', '\n9\n'))
    await expect(scene.open()).rejects.toMatchObject(forked)
  })

  it('but does under a new key, and says so in the log', async () => {
    await using scene = await openAuditScene()
    await scene.audit.record(entries(10))
    await (await scene.open())[Symbol.asyncDispose]()
    await rm(join(scene.keys, 'audit.key'))
    {
      await using notary = await scene.open()
      const [entry] = await scene.audit.entries(10, 1)
      expect(readEntry(entry?.body ?? new Uint8Array())).toMatchObject({
        type: 'audit.key-changed',
        data: { to: expect.stringContaining(notary.signer.key.name) },
      })
    }
    const { audit: tampered } = makeInMemoryStore()
    await tampered.record(entries(8))
    const [last] = (await scene.audit.checkpoints()).slice(-1)
    if (last !== undefined) await tampered.saveCheckpoint(last)
    await expect(scene.open(tampered)).rejects.toMatchObject(forked)
    await rm(join(scene.keys, 'audit.key'))
    await rm(join(scene.keys, 'audit.checkpoint'))
    await using _notary = await scene.open(tampered)
    const [entry] = await tampered.entries(8, 1)
    expect(readEntry(entry?.body ?? new Uint8Array())?.data).toMatchObject({
      misfit: expect.stringContaining('holds 8 entries, but 11 were signed'),
    })
  })
})
