import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeInMemoryStore } from '@aegis/core/testing'
import { openSqliteStore } from '@aegis/storage'
import { describeStoreContract, type StoreUnderTest } from './store-contract.ts'

describeStoreContract('in memory', async () => ({
  ...makeInMemoryStore(),
  async [Symbol.asyncDispose]() {},
}))

describeStoreContract('SQLite', openTemporary)

async function openTemporary(): Promise<StoreUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-store-'))
  const { events, agents, executions, audit, ...store } = await openSqliteStore({
    path: join(directory, 'aegis.db'),
  })
  return {
    events,
    agents,
    executions,
    audit,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}
