import { expect, it } from 'vitest'
import { debianDocker } from '../testing/engine-answers.ts'
import { fakeEngine, refusal } from '../testing/fake-engine.ts'
import { rememberFacts } from './remembered-facts.ts'

const never = new AbortController().signal

it('asks once for all who wait, and not again for a while', async () => {
  const engine = fakeEngine(() => debianDocker)
  let contacts = 0
  let nowMs = 0
  const facts = rememberFacts({
    client: engine.client,
    onContact: () => void contacts++,
    nowMs: () => nowMs,
  })
  await Promise.all([facts.recent(never), facts.recent(never)])
  await facts.recent(never)
  expect([engine.asked.length, contacts]).toEqual([1, 1])
  await facts.fresh(never)
  expect(engine.asked).toHaveLength(2)
  nowMs = 60_000
  // Old, and good enough until the new ones are there.
  await facts.recent(never)
  expect(engine.asked).toHaveLength(3)
})

it('does not remember that an engine was away', async () => {
  let isAway = true
  const engine = fakeEngine(() => {
    if (isAway) throw refusal(503)
    return debianDocker
  })
  const facts = rememberFacts({ client: engine.client, onContact: () => {} })
  await expect(facts.recent(never)).rejects.toMatchObject({ kind: 'unavailable' })
  isAway = false
  expect((await facts.recent(never)).version).toBe('20.10.24+dfsg1')
})
