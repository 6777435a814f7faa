import { expect, it } from 'vitest'
import { aSandbox } from '../testing/a-sandbox.ts'
import { watchSandboxes } from './watch-sandboxes.ts'

/** A node whose one sandbox always uses a tenth of a core, and a clock that sleep moves on. */
function setUp(once: boolean) {
  const clock = { ms: 0 }
  const slept: number[] = []
  const stop = new AbortController()
  const looks = watchSandboxes(
    {
      sandboxes: { list: async () => [aSandbox({ cpuMs: clock.ms / 10 })] },
      intervalMs: 2000,
      once,
      monotonicMs: () => clock.ms,
      sleep: async (ms, signal) => {
        signal.throwIfAborted()
        slept.push(ms)
        clock.ms += ms
      },
    },
    stop.signal,
  )
  return { looks, slept, stop }
}

it('knows the share of the processor from the first look on, and soon', async () => {
  const { looks, slept } = setUp(false)
  for (const _ of [1, 2, 3]) {
    const { value } = await looks.next()
    expect(value).toMatchObject([{ cpuPercent: 10 }])
  }
  expect(slept).toEqual([250, 2000, 2000])
})

it('looks once when asked for one table', async () => {
  const { looks, slept } = setUp(true)
  const all = await Array.fromAsync(looks)
  expect(all).toMatchObject([[{ cpuPercent: 10 }]])
  expect(slept).toEqual([250])
})

it('ends when it is told to', async () => {
  const { looks, stop } = setUp(false)
  await looks.next()
  stop.abort()
  await expect(looks.next()).rejects.toThrow()
})
