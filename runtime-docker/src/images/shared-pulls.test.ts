import type { PullProgress } from '@aegis/core'
import { expect, it, vi } from 'vitest'
import { makeSharedPulls } from './shared-pulls.ts'

const never = new AbortController().signal
const progress: PullProgress = {
  reference: 'python:3.11',
  phase: 'downloading',
  layersDone: 1,
  layers: 2,
  downloadedBytes: 3,
  totalBytes: 4,
}

interface Pull {
  readonly tell: (progress: PullProgress) => void
  readonly signal: AbortSignal
  readonly finish: (result: string) => void
  readonly fail: (error: unknown) => void
}

/** Pulls that end when the test says so. */
function openPulls() {
  const begun: Pull[] = []
  const pulls = makeSharedPulls<string>((_key, tell, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    signal.addEventListener('abort', () => reject(signal.reason))
    begun.push({ tell, signal, finish: resolve, fail: reject })
    return promise
  })
  return { pulls, begun, first: () => vi.waitUntil(() => begun[0]) }
}

it('pulls once for all who want the same, and tells all of them', async () => {
  const { pulls, begun, first } = openPulls()
  const early: PullProgress[] = []
  const late: PullProgress[] = []
  const one = pulls.join('a', (each) => early.push(each), never)
  const { tell, finish } = await first()
  tell(progress)
  const two = pulls.join('a', (each) => late.push(each), never)
  tell({ ...progress, downloadedBytes: 4 })
  finish('image')
  expect(await Promise.all([one, two])).toEqual(['image', 'image'])
  expect(begun).toHaveLength(1)
  expect(early.map(({ downloadedBytes }) => downloadedBytes)).toEqual([3, 4])
  expect(late).toEqual(early)
})

it('pulls apart what is not the same, and anew what is over', async () => {
  const { pulls, begun } = openPulls()
  const both = [pulls.join('a', () => {}, never), pulls.join('b', () => {}, never)]
  await vi.waitUntil(() => begun.length === 2)
  for (const { finish } of begun) finish('image')
  await Promise.all(both)
  const again = pulls.join('a', () => {}, never)
  await vi.waitUntil(() => begun.length === 3)
  begun[2]?.fail(new Error('no'))
  await expect(again).rejects.toThrow('no')
})

it('goes on while one of them waits', async () => {
  const { pulls, first } = openPulls()
  const controller = new AbortController()
  const one = pulls.join('a', () => {}, controller.signal)
  const two = pulls.join('a', () => {}, never)
  const { signal, finish } = await first()
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(one).rejects.toBe(reason)
  expect(signal.aborted).toBe(false)
  finish('image')
  expect(await two).toBe('image')
})

it('ends when nobody waits, and begins anew for the next', async () => {
  const { pulls, begun, first } = openPulls()
  const controller = new AbortController()
  const one = pulls.join('a', () => {}, controller.signal)
  const { signal } = await first()
  controller.abort()
  await expect(one).rejects.toBe(controller.signal.reason)
  expect(signal.aborted).toBe(true)
  const two = pulls.join('a', () => {}, never)
  await vi.waitUntil(() => begun.length === 2)
  begun[1]?.finish('image')
  expect(await two).toBe('image')
})

it('does not let one listener that fails disturb the others', async () => {
  const { pulls, first } = openPulls()
  const broken = pulls.join(
    'a',
    () => {
      throw new Error('closed')
    },
    never,
  )
  const sound = pulls.join('a', () => {}, never)
  const { tell, finish } = await first()
  tell(progress)
  await expect(broken).rejects.toThrow('closed')
  finish('image')
  expect(await sound).toBe('image')
})

it('refuses who has given up already', async () => {
  const { pulls, begun } = openPulls()
  await expect(pulls.join('a', () => {}, AbortSignal.abort())).rejects.toThrow()
  expect(begun).toHaveLength(0)
})

it('cancels what is under way when it is closed', async () => {
  const { pulls, first } = openPulls()
  const one = pulls.join('a', () => {}, never)
  const closed = expect(one).rejects.toThrow('abort')
  await first()
  await pulls[Symbol.asyncDispose]()
  await closed
})
