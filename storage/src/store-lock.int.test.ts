import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore, openStoreLock } from './index.ts'

const locked = { name: 'AegisError', kind: 'conflict', code: 'home.locked' }

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-lock-'))
})
afterEach(() => rm(directory, { recursive: true }))

it('is held by one at a time, and free again when disposed', () => {
  {
    using _ = openStoreLock(directory)
    expect(() => openStoreLock(directory)).toThrow(expect.objectContaining(locked))
  }
  openStoreLock(directory)[Symbol.dispose]()
})

it('names the folder and the way out when another process holds it', async () => {
  await using _ = await holder(`openStoreLock(${JSON.stringify(directory)})`)
  expect(() => openStoreLock(directory)).toThrow(
    `Another AEGIS process is using ${directory}. Stop it (aegis daemon stop)`,
  )
})

it('dies with its process, even by kill -9', async () => {
  const other = await holder(`openStoreLock(${JSON.stringify(directory)})`)
  await other[Symbol.asyncDispose]()
  using _ = openStoreLock(directory)
  expect(await readdir(directory)).toEqual(['lock.db'])
})

it('is released once: a second disposal does not free the lock of another', () => {
  const first = openStoreLock(directory)
  first[Symbol.dispose]()
  using _ = openStoreLock(directory)
  first[Symbol.dispose]()
  expect(() => openStoreLock(directory)).toThrow(expect.objectContaining(locked))
})

it('says so when the folder is not there', () => {
  const missing = join(directory, 'missing')
  expect(() => openStoreLock(missing)).toThrow(
    expect.objectContaining({ kind: 'unavailable', code: 'store.unopenable' }),
  )
})

it('has a second one in the store itself, for whoever forgets the first', async () => {
  const path = join(directory, 'aegis.db')
  {
    await using _ = await holder(`await openSqliteStore({ path: ${JSON.stringify(path)} })`)
    await expect(openSqliteStore({ path })).rejects.toMatchObject(locked)
  }
  await using store = await openSqliteStore({ path })
  await expect(openSqliteStore({ path })).rejects.toMatchObject(locked)
  expect(await store.agents.list()).toEqual([])
})

/** Another process that opens something and holds it until it is killed, here by SIGKILL. */
async function holder(expression: string): Promise<AsyncDisposable> {
  const program = `
    import { openSqliteStore, openStoreLock } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
    globalThis.held = ${expression}
    process.stdout.write('held')
    setInterval(() => {}, 60_000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}
