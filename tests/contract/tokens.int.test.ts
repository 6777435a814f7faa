import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { localActor } from '@aegis/core'
import { makeInMemoryTokens } from '@aegis/core/testing'
import { mintToken } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { expect, it } from 'vitest'
import { describeTokenContract } from './token-contract.ts'

describeTokenContract('in memory', async () => ({
  tokens: makeInMemoryTokens(),
  async [Symbol.asyncDispose]() {},
}))

describeTokenContract('in SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-tokens-'))
  const store = await openSqliteStore({ path: join(folder, 'aegis.db') })
  return {
    tokens: store.tokens,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
})

it('a database holds no token, and one that is damaged lets nobody in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-tokens-'))
  const path = join(folder, 'aegis.db')
  const { id, digest, text } = mintToken()
  const secret = text.reveal().slice(-43)
  const createdAt = '2026-11-22T15:00:00.000Z'
  {
    await using store = await openSqliteStore({ path })
    const { role } = localActor
    await store.tokens.add({ id, name: 'ci', role, createdAt, createdBy: 'local', digest })
  }
  expect((await readFile(path)).includes(secret)).toBe(false)
  const database = new DatabaseSync(path)
  database.exec(`update tokens set role = 'root'`)
  database.close()
  {
    await using store = await openSqliteStore({ path })
    const corrupt = { kind: 'unavailable', code: 'store.corrupt' }
    await expect(store.tokens.byId(id)).rejects.toMatchObject(corrupt)
  }
  await rm(folder, { recursive: true })
})
