import { expect, it } from 'vitest'
import { parseEngineEndpoint } from '../engine/engine-endpoint.ts'
import { engineUnreachable } from '../engine/engine-failure.ts'
import { fakeEngine, refusal } from '../testing/fake-engine.ts'
import { makeReaper } from './reaper.ts'

const container = { kind: 'container', name: 'box' } as const
const volume = { kind: 'volume', name: 'disk' } as const
const away = () => engineUnreachable(parseEngineEndpoint(undefined), new Error('gone'))

it('removes in the order given, and is content with what is gone', async () => {
  const engine = fakeEngine(() => {
    throw refusal(404)
  })
  await using reaper = makeReaper({ client: engine.client, logger: undefined })
  await reaper.remove([container, volume])
  expect(engine.asked).toEqual(['DELETE /containers/box', 'DELETE /volumes/disk'])
  expect(await reaper.settle()).toBe(true)
})

it('waits for a removal that the engine has begun by itself', async () => {
  const engine = fakeEngine(({ method }) => {
    if (method === 'DELETE') throw refusal(409, 'removal of container box is already in progress')
    return {}
  })
  await using reaper = makeReaper({ client: engine.client, logger: undefined })
  await reaper.remove([container])
  expect(engine.asked).toEqual(['DELETE /containers/box', 'POST /containers/box/wait'])
})

it('tries again until it succeeds', async () => {
  let failures = 2
  const engine = fakeEngine(() => {
    if (failures-- > 0) throw refusal(500, 'device or resource busy')
    return {}
  })
  await using reaper = makeReaper({ client: engine.client, logger: undefined })
  await reaper.remove([container])
  expect(engine.asked).toHaveLength(3)
})

it('does not hold up its caller for an engine that is away, and goes on behind', async () => {
  let isAway = true
  const removed = Promise.withResolvers<void>()
  const engine = fakeEngine(() => {
    if (isAway) throw away()
    removed.resolve()
  })
  await using reaper = makeReaper({
    client: engine.client,
    logger: undefined,
    absencePatienceMs: 10,
  })
  await reaper.remove([container])
  expect(await reaper.settle()).toBe(false)
  isAway = false
  await removed.promise
})

it('tries at once when it is to settle', async () => {
  let isAway = true
  const engine = fakeEngine(() => {
    if (isAway) throw away()
  })
  const options = { client: engine.client, logger: undefined, absencePatienceMs: 500 }
  await using reaper = makeReaper(options)
  await reaper.remove([container])
  isAway = false
  expect(await reaper.settle()).toBe(true)
})

it('ends also while an engine is away', async () => {
  const engine = fakeEngine(() => {
    throw away()
  })
  const reaper = makeReaper({ client: engine.client, logger: undefined, absencePatienceMs: 0 })
  await reaper.remove([container])
  await reaper[Symbol.asyncDispose]()
})
