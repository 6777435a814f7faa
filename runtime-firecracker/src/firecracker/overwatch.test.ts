import { expect, it, vi } from 'vitest'
import { watchOver } from './overwatch.ts'

it('tells of one that does not answer so often in a row, and not of one that was slow once', async () => {
  const answers = [true, false, true, false, false]
  const asked = vi.fn(async () => {
    if (!answers.shift()) throw new Error('no answer')
  })
  using watch = watchOver(asked, { everyMs: 1, misses: 2 })
  expect(await watch.lost).toBe('no answer')
  expect(asked).toHaveBeenCalledTimes(5)
})

it('asks nobody any more when it is over', async () => {
  const asked = Promise.withResolvers<void>()
  let aborted = false
  const watch = watchOver(
    async (signal) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      asked.resolve()
      await new Promise(() => {})
    },
    { everyMs: 1, misses: 1 },
  )
  await asked.promise
  watch[Symbol.dispose]()
  expect(aborted).toBe(true)
})
