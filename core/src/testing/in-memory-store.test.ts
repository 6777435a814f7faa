import { expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import type { AppendRequest, RecordedEvent } from '../kernel/event-store.ts'
import { makeInMemoryStore } from './in-memory-store.ts'

// What every store promises is in tests/contract/store-contract.ts; this is what only the fake can.

const request: AppendRequest = {
  stream: 'execution-1',
  expectedVersion: 0,
  events: [{ type: 'execution.started', at: '2026-11-22T15:04:05.123Z' }],
}
const crash = () => {
  throw new AegisError('unavailable', 'store.io', 'The disk is gone')
}

it('fails before the effect, which then has not happened', async () => {
  const heard: RecordedEvent[] = []
  const { events } = makeInMemoryStore({ failBefore: crash })
  events.subscribe((recorded) => heard.push(...recorded))
  await expect(events.append(request)).rejects.toMatchObject({ code: 'store.io' })
  expect(await events.read(request.stream)).toEqual([])
  expect(heard).toEqual([])
})

it('fails after the effect, which then has happened unacknowledged', async () => {
  const { events } = makeInMemoryStore({ failAfter: crash })
  await expect(events.append(request)).rejects.toMatchObject({ code: 'store.io' })
  expect(await events.read(request.stream)).toHaveLength(1)
})

it('lets the hooks choose which append fails', async () => {
  const { events } = makeInMemoryStore({
    failBefore: ({ expectedVersion }) => expectedVersion === 1 && crash(),
  })
  await events.append(request)
  await expect(events.append({ ...request, expectedVersion: 1 })).rejects.toThrow('gone')
  expect(await events.read(request.stream)).toHaveLength(1)
})

it('gives readers copies: what they change is not what is stored', async () => {
  const { events } = makeInMemoryStore()
  await events.append(request)
  const [first] = await events.read(request.stream)
  Object.assign(first?.event ?? {}, { type: 'changed' })
  expect((await events.read(request.stream))[0]?.event).toEqual(request.events[0])
})
