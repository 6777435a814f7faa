import { AegisError } from '@aegis/core'
import { aManifest, makeInMemoryStore } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { openScene } from './domain-scene.ts'

const full = () => new AegisError('exhausted', 'store.full', 'No space is left.')

/** A store that takes no event of these types while it is full. */
function openFullStore() {
  const store = { refuses: new Set<string>(), refused: Promise.withResolvers<void>() }
  const failBefore = ({ events }: { readonly events: readonly { readonly type: string }[] }) => {
    if (!events.some(({ type }) => store.refuses.has(type))) return
    store.refused.resolve()
    throw full()
  }
  return Object.assign(store, { inMemory: makeInMemoryStore({ failBefore }) })
}

describe('an execution whose store fails', () => {
  it.each([
    'execution.started',
    'execution.iteration-started',
    'execution.sandbox-booted',
    'execution.console',
    'execution.completed',
  ])('at %s leaves no sandbox, and is taken up when the store works again', async (type) => {
    const store = openFullStore()
    const scene = await openScene({ store: store.inMemory })
    await scene.plane.agents.deploy(aManifest('echo'))
    store.refuses.add(type)
    const id = await scene.plane.executions.execute('echo', 'Hello')
    await store.refused.promise
    store.refuses.clear()
    const events = await scene.finished(id)
    expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'Hello' })
    expect(events.filter((event) => event.type === 'execution.completed')).toHaveLength(1)
    await scene.node.stop()
    expect(scene.runtime.live()).toEqual([])
  })

  it('is taken up as well by a node that runs only its own', async () => {
    const store = openFullStore()
    const scene = await openScene({ store: store.inMemory, runs: 'own' })
    await scene.plane.agents.deploy(aManifest('echo'))
    store.refuses.add('execution.completed')
    const id = await scene.plane.executions.execute('echo', 'Hello')
    await store.refused.promise
    store.refuses.clear()
    const events = await scene.finished(id)
    expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'Hello' })
    await scene.node.stop()
  })

  it('is not started again and again while the store fails', async () => {
    let starts = 0
    const inMemory = makeInMemoryStore({
      failBefore: ({ events }) => {
        if (events[0]?.type !== 'execution.started') return
        starts += 1
        throw full()
      },
    })
    const scene = await openScene({ store: inMemory })
    await scene.plane.agents.deploy(aManifest('echo'))
    const id = await scene.plane.executions.execute('echo', 'Hello')
    await expect.poll(() => starts).toBe(1)
    expect(await scene.plane.executions.cancel(id)).toBe('cancelled')
    expect(starts).toBe(1)
    await scene.node.stop()
  })

  it('is cancelled as soon as that can be stored, and says so when it cannot', async () => {
    const store = openFullStore()
    const scene = await openScene({ store: store.inMemory, agent: () => new Promise(() => {}) })
    await scene.plane.agents.deploy(aManifest('echo'))
    const id = await scene.plane.executions.execute('echo', 'Hello')
    for await (const { event } of scene.plane.executions.events(
      id,
      { follow: true },
      AbortSignal.timeout(5000),
    )) {
      if (event.type === 'execution.sandbox-booted') break
    }
    store.refuses = new Set(['execution.cancelled', 'execution.cancel-requested'])
    await expect(scene.plane.executions.cancel(id)).rejects.toMatchObject({ code: 'store.full' })
    store.refuses.clear()
    expect(await scene.plane.executions.cancel(id)).toMatch(/^(running|cancelled)$/)
    const events = await scene.finished(id)
    expect(events.at(-1)).toMatchObject({ type: 'execution.cancelled' })
    await scene.node.stop()
  })
})
