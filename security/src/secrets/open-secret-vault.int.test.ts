import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import type { KeySource } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type Cut, cutOff, makeCutDisk } from './testing/cut-disk.ts'
import { aSecret, openVaultScene } from './testing/open-test-vault.ts'

const [k1, k2] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
const env = { K1: k1, K2: k2, SHORT: 'too short', PASS: 'correct horse battery staple' }

const sources: readonly KeySource[] = [
  { kind: 'file' },
  { kind: 'env', variable: 'K1' },
  { kind: 'passphrase', variable: 'PASS' },
]

describe('the vault', () => {
  it('makes no file, not even a key, before there is a secret', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    expect(vault.list()).toEqual([])
    expect(vault.open('coder', 'github')).toBeUndefined()
    expect(await vault.remove('github')).toBe(false)
    expect(await readdir(scene.folder)).toEqual([])
  })

  it.each(sources)('keeps secrets over a restart with a key from: $kind', async (key) => {
    await using scene = await openVaultScene(env)
    const vault = await scene.open({ key })
    await vault.put(aSecret('github', { value: 'ghp_0123456789' }))
    await vault.put(aSecret('stripe', { agents: ['*'], hosts: ['*.stripe.com', '10.0.0.0/8:443'] }))
    const again = await scene.open({ key })
    expect(again.fault).toBeUndefined()
    expect(again.list()).toEqual(vault.list())
    expect(again.list().map(({ name, state }) => [name, state])).toEqual([
      ['github', 'intact'],
      ['stripe', 'intact'],
    ])
    expect(again.open('coder', 'github')?.value.reveal()).toBe('ghp_0123456789')
    expect(again.open('other', 'stripe')?.hosts).toEqual([
      { kind: 'suffix', suffix: 'stripe.com' },
      { kind: 'cidr', address: '10.0.0.0', prefixLength: 8, port: 443 },
    ])
  })

  it('gives a secret to no agent but those it is for, and tells no other whether it exists', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('github', { agents: ['coder'] }))
    expect(vault.open('other', 'github')).toBeUndefined()
    expect(vault.open('*', 'github')).toBeUndefined()
    expect(vault.open('other', 'nothing')).toBeUndefined()
  })

  it('writes values nowhere in plain, and its files for their owner alone', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('github', { value: 'ghp_0123456789' }))
    const text = await readFile(scene.path, 'latin1')
    for (const form of ['ghp_', Buffer.from('ghp_0123456789').toString('base64').slice(0, 12)]) {
      expect(text).not.toContain(form)
    }
    for (const path of [scene.path, scene.keyPath]) {
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    }
    expect((await stat(join(scene.folder, 'keys'))).mode & 0o777).toBe(0o700)
    expect(inspect(vault.open('coder', 'github'), { depth: 9 })).not.toContain('ghp_')
    expect(JSON.stringify(vault.list())).not.toContain('ghp_')
  })

  it('replaces and removes secrets for good', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('one'))
    await vault.put(aSecret('one', { value: 'another value' }))
    await vault.put(aSecret('two'))
    expect(await vault.remove('two')).toBe(true)
    const again = await scene.open()
    expect(again.list().map(({ name }) => name)).toEqual(['one'])
    expect(again.open('coder', 'one')?.value.reveal()).toBe('another value')
  })

  it('makes changes that come at once one after the other', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    const names = Array.from(
      { length: 20 },
      (_, index) => `secret-${String(index).padStart(2, '0')}`,
    )
    await Promise.all([...names.map((name) => vault.put(aSecret(name))), vault.rotate()])
    expect((await scene.open()).list().map(({ name }) => name)).toEqual(names)
  })

  it('takes up to 1,000 secrets', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    const names = Array.from({ length: 1_000 }, (_, index) => `secret-${index}`)
    await Promise.all(names.map((name) => vault.put(aSecret(name))))
    await expect(vault.put(aSecret('one-more'))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'secret.limit',
    })
    await vault.put(aSecret('secret-7', { value: 'another value' }))
    expect((await scene.open()).list()).toHaveLength(1_000)
  }, 120_000)

  it('reads no file that is none of its own making, and says why', async () => {
    await using scene = await openVaultScene()
    await (await scene.open()).put(aSecret('one'))
    await rename(scene.path, `${scene.path}.moved`)
    await symlink(`${scene.path}.moved`, scene.path)
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.unreadable' })
    await rm(scene.path)
    await mkdir(scene.path)
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.unreadable' })
    await rmdir(scene.path)
    await writeFile(scene.path, '{}')
    const { fault } = await scene.open()
    expect(fault).toMatchObject({ kind: 'denied', code: 'secret.altered' })
    expect(fault?.message).toContain(scene.path)
  })

  it('names the secret that something else changed, and gives out the others', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('one', { agents: ['coder'] }))
    await vault.put(aSecret('two'))
    const text = await readFile(scene.path, 'utf8')
    await writeFile(scene.path, text.replace('"coder"', '"thief"'))
    const again = await scene.open()
    expect(again.fault).toBeUndefined()
    expect(() => again.open('thief', 'one')).toThrow('changed the secret "one" on the disk')
    expect(() => again.open('coder', 'one')).toThrow('aegis secret set')
    expect(again.open('coder', 'two')?.value.reveal()).toBe('value-of-two')
    expect(again.list().map(({ state }) => state)).toEqual(['altered', 'intact'])
    await expect(again.rotate()).rejects.toMatchObject({ details: { names: ['one'] } })
    // What is kept meanwhile does not make it good.
    await again.put(aSecret('three'))
    expect((await scene.open()).list().map(({ state }) => state)).toEqual([
      'altered',
      'intact',
      'intact',
    ])
    await again.put(aSecret('one'))
    expect((await scene.open()).open('coder', 'one')?.value.reveal()).toBe('value-of-one')
  })

  it('names the secret that something else took out of the file', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('one'))
    const { secrets: before } = JSON.parse(await readFile(scene.path, 'utf8'))
    await vault.put(aSecret('two'))
    const file = JSON.parse(await readFile(scene.path, 'utf8'))
    await writeFile(scene.path, `${JSON.stringify({ ...file, secrets: before }, null, 2)}\n`)
    const again = await scene.open()
    expect(again.list()).toMatchObject([
      { name: 'one', state: 'intact' },
      { name: 'two', state: 'missing', agents: [] },
    ])
    expect(() => again.open('coder', 'two')).toThrow('changed the secret "two"')
    expect(await again.remove('two')).toBe(true)
    expect((await scene.open()).list()).toHaveLength(1)
  })

  it('uses the key that is there already when the first secret comes', async () => {
    await using scene = await openVaultScene()
    const first = await scene.open()
    await first.put(aSecret('one'))
    const key = await readFile(scene.keyPath, 'utf8')
    await rm(scene.path)
    await (await scene.open()).put(aSecret('two'))
    expect(await readFile(scene.keyPath, 'utf8')).toBe(key)
  })
})

describe('the key of secrets', () => {
  it.each([
    ['another key of the environment', { kind: 'env', variable: 'K2' }, 'secret.key-wrong'],
    ['a variable that is not set', { kind: 'env', variable: 'K9' }, 'secret.key-absent'],
    ['a variable that holds no key', { kind: 'env', variable: 'PASS' }, 'secret.key-malformed'],
    ['a source of another kind', { kind: 'file' }, 'secret.key-wrong'],
  ] as const)('is refused when it is %s, and says so in words', async (_, key, code) => {
    await using scene = await openVaultScene(env)
    await (await scene.open({ key: { kind: 'env', variable: 'K1' } })).put(aSecret('one'))
    const before = await readFile(scene.path, 'utf8')
    const vault = await scene.open({ key })
    expect(vault.fault).toMatchObject({ kind: 'denied', code })
    expect(vault.fault?.message).not.toContain(k1)
    expect(() => vault.open('coder', 'one')).toThrow(vault.fault)
    expect(() => vault.list()).toThrow(vault.fault)
    await expect(vault.put(aSecret('two'))).rejects.toBe(vault.fault)
    await expect(vault.rotate()).rejects.toBe(vault.fault)
    expect(await readFile(scene.path, 'utf8')).toBe(before)
  })

  it('is refused when it is another passphrase, or a short one', async () => {
    await using scene = await openVaultScene({ ...env, OTHER: 'correct horse battery stable' })
    const passphrase = (variable: string) => ({ key: { kind: 'passphrase', variable } as const })
    await (await scene.open(passphrase('PASS'))).put(aSecret('one'))
    expect((await scene.open(passphrase('OTHER'))).fault).toMatchObject({
      code: 'secret.key-wrong',
    })
    expect((await scene.open(passphrase('SHORT'))).fault?.message).toContain('12 characters')
  })

  it('is refused when others may read its file', async () => {
    await using scene = await openVaultScene()
    await (await scene.open()).put(aSecret('one'))
    await chmod(scene.keyPath, 0o640)
    const { fault } = await scene.open()
    expect(fault).toMatchObject({ kind: 'denied', code: 'secret.key-readable' })
    expect(fault?.message).toContain(`chmod 600 ${scene.keyPath}`)
  })

  it('is refused when it is a link, gone, or no key', async () => {
    await using scene = await openVaultScene()
    await (await scene.open()).put(aSecret('one'))
    await copyFile(scene.keyPath, `${scene.keyPath}.copy`)
    await rm(scene.keyPath)
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.key-absent' })
    await symlink(`${scene.keyPath}.copy`, scene.keyPath)
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.key-malformed' })
    await rm(scene.keyPath)
    await writeFile(scene.keyPath, 'no key', { mode: 0o600 })
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.key-malformed' })
  })
})

describe('a new key', () => {
  it('encrypts every secret anew, and the old key opens nothing any more', async () => {
    await using scene = await openVaultScene()
    const vault = await scene.open()
    await vault.put(aSecret('one'))
    await vault.put(aSecret('two'))
    const [oldKey, oldFile] = [await readFile(scene.keyPath), await readFile(scene.path, 'utf8')]
    expect(await vault.rotate()).toEqual({
      secrets: 2,
      key: 'file',
      isKeyNew: true,
      isConfigured: true,
    })
    const newFile = await readFile(scene.path, 'utf8')
    expect(await readFile(scene.keyPath)).not.toEqual(oldKey)
    for (const sealed of newFile.match(/"[A-Za-z0-9+/=]{40,}"/g) ?? []) {
      expect(oldFile).not.toContain(sealed)
    }
    expect((await scene.open()).open('coder', 'two')?.value.reveal()).toBe('value-of-two')
    await writeFile(scene.keyPath, oldKey)
    expect((await scene.open()).fault).toMatchObject({ code: 'secret.key-wrong' })
  })

  it('may come from elsewhere, which the config must say before the next start', async () => {
    await using scene = await openVaultScene(env)
    const vault = await scene.open()
    await vault.put(aSecret('one'))
    for (const [key, text] of [
      [{ kind: 'env', variable: 'K1' }, 'env:K1'],
      [{ kind: 'env', variable: 'K2' }, 'env:K2'],
      [{ kind: 'passphrase', variable: 'PASS' }, 'passphrase:env:PASS'],
      [{ kind: 'file' }, 'file'],
    ] as const) {
      const rotated = { secrets: 1, key: text, isKeyNew: true, isConfigured: text === 'file' }
      expect(await vault.rotate(key)).toEqual(rotated)
      expect((await readdir(join(scene.folder, 'keys'))).length).toBe(text === 'file' ? 1 : 0)
      const again = await scene.open({ key })
      expect(again.open('coder', 'one')?.value.reveal()).toBe('value-of-one')
      const old = await scene.open({
        key: text === 'file' ? { kind: 'env', variable: 'K1' } : { kind: 'file' },
      })
      expect(old.fault).toMatchObject({ code: 'secret.key-wrong' })
    }
    await expect(vault.rotate({ kind: 'env', variable: 'K9' })).rejects.toMatchObject({
      code: 'secret.key-absent',
    })
    expect(await vault.rotate()).toMatchObject({ key: 'file' })
  })

  it.each([
    'before',
    'half',
    'after',
  ] as const)('leaves every secret readable, whichever step it is cut off %s', async (cut: Cut) => {
    for (let step = 1; ; step += 1) {
      await using scene = await openVaultScene()
      await (await scene.open()).put(aSecret('one'))
      const { disk, steps } = makeCutDisk(step, cut, cutOff)
      const outcome = await (await scene.open({ disk })).rotate().catch((error: Error) => error)
      const after = await scene.open()
      expect(after.fault).toBeUndefined()
      expect(after.open('coder', 'one')?.value.reveal()).toBe('value-of-one')
      // And it goes on from there, to a state that opens again.
      await after.put(aSecret('two'))
      await after.rotate()
      expect((await scene.open()).list()).toHaveLength(2)
      if (!(outcome instanceof Error)) {
        expect(steps()).toBeGreaterThan(5)
        break
      }
    }
  })

  it.each([
    'before',
    'half',
    'after',
  ] as const)('goes on in the same process where a step failed %s it was done', async (cut: Cut) => {
    for (let step = 1; ; step += 1) {
      await using scene = await openVaultScene()
      await (await scene.open()).put(aSecret('one'))
      const { disk } = makeCutDisk(step, cut, cutOff, { recovers: true })
      const vault = await scene.open({ disk })
      const outcome = await vault.rotate().catch((error: Error) => error)
      if (!(outcome instanceof Error)) break
      await vault.put(aSecret('two'))
      await vault.rotate()
      for (const each of [vault, await scene.open()]) {
        expect(each.open('coder', 'one')?.value.reveal()).toBe('value-of-one')
        expect(each.open('coder', 'two')?.value.reveal()).toBe('value-of-two')
      }
    }
  })

  it('survives kill -9 after each of its steps', async () => {
    const program = fileURLToPath(new URL('testing/die-while-rotating.ts', import.meta.url))
    let killed = 0
    for (let step = 1; ; step += 1) {
      await using scene = await openVaultScene()
      await (await scene.open()).put(aSecret('one'))
      const args = [program, scene.path, scene.keyPath, String(step)]
      const ended = await promisify(execFile)(process.execPath, args).catch((error) => error)
      const after = await scene.open()
      expect(after.fault).toBeUndefined()
      expect(after.open('coder', 'one')?.value.reveal()).toBe('value-of-one')
      if (ended.signal !== 'SIGKILL') break
      killed += 1
    }
    expect(killed).toBeGreaterThan(5)
  }, 120_000)

  it('is not made where a change is cut off while the first secret is kept', async () => {
    for (let step = 1; ; step += 1) {
      await using scene = await openVaultScene()
      const { disk } = makeCutDisk(step, 'after', cutOff)
      const outcome = await (await scene.open({ disk })).put(aSecret('one')).catch((error) => error)
      const after = await scene.open()
      expect(after.fault).toBeUndefined()
      expect(after.list().length).toBeLessThanOrEqual(1)
      await after.put(aSecret('one'))
      if (!(outcome instanceof Error)) break
    }
  })
})
