import { AegisError, type SandboxSpec } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { makeFakeImageStore } from '../contract/fake-image-store.ts'
import { forever } from './domain-scene.ts'
import { settled } from './fake-clock.ts'
import { kept, openPool, startOf } from './pool-scene.ts'

const away = () => new AegisError('unavailable', 'engine.unreachable', 'Nobody answers.')

/** A node whose sandboxes boot from images, and only from those that the host has. */
async function openImagePool(beforeBoot: (spec: SandboxSpec) => Promise<void> = async () => {}) {
  const images = makeFakeImageStore()
  const { id } = images.publish('node:24')
  const scene = await openPool({
    disguise: (runtime) => ({ ...runtime, images }),
    async beforeBoot(spec) {
      const image = await images.find(spec.interpreter.image ?? '', forever)
      if (image === undefined) throw new AegisError('not-found', 'sandbox.boot', 'No such image.')
      await beforeBoot(spec)
    },
  })
  return Object.assign(scene, { images, imageId: id })
}

describe('a task whose image was removed while a sandbox of it waits', () => {
  it('takes that sandbox, and the next one fetches the image', async () => {
    const { images, imageId, ...scene } = await openImagePool()
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    await images.remove(imageId, forever)
    const ids = await Promise.all(['a', 'b'].map((x) => scene.plane.executions.execute('echo', x)))
    const starts = await Promise.all(ids.map((id) => startOf(scene, id)))
    expect(starts.flat().map(({ warm }) => warm)).toEqual([true, false])
    expect(images.pulls).toHaveLength(2)
  })

  it('fetches it at once where that sandbox only boots yet', async () => {
    const gate = Promise.withResolvers<void>()
    let boots = 0
    const { images, imageId, ...scene } = await openImagePool(async () => {
      boots += 1
      if (boots === 1) await gate.promise
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ cold: 1 })
    await images.remove(imageId, forever)
    const id = await scene.plane.executions.execute('echo', 'a')
    await settled()
    expect(images.pulls).toHaveLength(2)
    gate.resolve()
    expect(await startOf(scene, id)).toHaveLength(1)
  })
})

describe('an engine that is away for a moment', () => {
  it('keeps a task waiting that boots, and fails none', async () => {
    let boots = 0
    const scene = await openPool({
      beforeBoot: async () => {
        boots += 1
        if (boots < 4) throw away()
      },
    })
    await scene.plane.agents.deploy(aManifest('echo'))
    const id = await scene.plane.executions.execute('echo', 'a')
    await settled()
    expect(boots).toBe(1)
    await scene.clock.advance(1500)
    expect(await startOf(scene, id)).toHaveLength(1)
  })

  it('keeps a task waiting that looks for its image', async () => {
    let reachable = true
    const images = makeFakeImageStore()
    images.publish('node:24')
    const find: typeof images.find = async (...args) => {
      if (!reachable) throw away()
      return images.find(...args)
    }
    const disguise = <Runtime>(runtime: Runtime) => ({ ...runtime, images: { ...images, find } })
    const scene = await openPool({ disguise })
    await scene.plane.agents.deploy(aManifest('echo'))
    reachable = false
    const id = await scene.plane.executions.execute('echo', 'a')
    await settled()
    await scene.clock.advance(29_000)
    expect((await scene.plane.executions.find(id)).status).toBe('running')
    reachable = true
    await scene.clock.advance(500)
    expect(await startOf(scene, id)).toHaveLength(1)
  })

  it('fails a task after half a minute, and lets it be cancelled before', async () => {
    const scene = await openPool({ beforeBoot: () => Promise.reject(away()) })
    await scene.plane.agents.deploy(aManifest('echo'))
    const [lost, given] = await Promise.all([
      scene.plane.executions.execute('echo', 'a'),
      scene.plane.executions.execute('echo', 'b'),
    ])
    await settled()
    await scene.clock.advance(10_000)
    expect(await scene.plane.executions.cancel(given)).toBe('cancelled')
    await scene.clock.advance(20_000)
    const events = await scene.finished(lost)
    expect(events.at(-1)).toMatchObject({ failure: { cause: 'boot_failed' } })
  })
})
