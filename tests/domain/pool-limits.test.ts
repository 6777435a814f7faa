import { AegisError } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { silent } from './domain-scene.ts'
import { settled } from './fake-clock.ts'
import { aborted, kept, openPool, runOne, startOf } from './pool-scene.ts'

describe('what waits gives way', () => {
  it('to a task of another agent that needs its memory, which starts when it is gone', async () => {
    const gate = Promise.withResolvers<void>()
    const scene = await openPool({ memoryBytes: 1.5e6, beforeDispose: () => gate.promise })
    await scene.plane.agents.deploy(aManifest('waits', kept(1)))
    await scene.plane.agents.deploy(aManifest('works'))
    await scene.until({ warm: 1 })
    const id = await scene.plane.executions.execute('works', 'Hello')
    await settled()
    expect(scene.runtime.booted).toHaveLength(1)
    gate.resolve()
    expect((await startOf(scene, id))[0]?.warm).toBe(false)
  })

  it('not to a task of its own agent, which takes it', async () => {
    const scene = await openPool({ memoryBytes: 1e6 })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    expect((await runOne(scene))[0]?.warm).toBe(true)
    await scene.until({ warm: 1, terminated: 1 })
  })

  it('is not booted while work waits or all cpu is taken', async () => {
    const scene = await openPool({ cpuMillicores: 500, agent: whileWaiting })
    await scene.plane.agents.deploy(aManifest('works'))
    const [first, second] = await Promise.all([
      scene.plane.executions.execute('works', ''),
      scene.plane.executions.execute('works', ''),
    ])
    await scene.until({ hot: 1 })
    await scene.plane.agents.deploy(aManifest('waits', kept(1)))
    await scene.clock.advance(1000)
    expect(scene.runtime.booted).toHaveLength(1)
    await scene.plane.executions.cancel(first)
    await scene.until({ hot: 1, terminated: 1 })
    await scene.clock.advance(1000)
    expect(scene.runtime.booted).toHaveLength(2)
    await scene.plane.executions.cancel(second)
    await scene.until({ hot: 0, warm: 2 })
  })
})

describe('what is busy while it waits', () => {
  /** Each look finds that it has used so much more. */
  const openBusy = (cpuMsEachLook: number) =>
    openPool({
      disguise: (runtime) => ({
        ...runtime,
        async boot(spec, signal) {
          const sandbox = await runtime.boot(spec, signal)
          let cpuMs = 60_000
          const stats = async (until: AbortSignal) => {
            cpuMs += cpuMsEachLook
            return { ...(await sandbox.stats(until)), cpuMs }
          }
          return { ...sandbox, stats }
        },
      }),
    })

  it('is destroyed, and not replaced at once', async () => {
    const scene = await openBusy(2000)
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    await settled()
    await scene.clock.advance(30_000)
    await scene.until({ warm: 1, failed: 0 })
    await scene.clock.advance(15_000)
    await scene.until({ warm: 0, failed: 1 })
    await scene.clock.advance(1000)
    await scene.until({ warm: 1, failed: 1 })
  })

  it('stays as long as it is hardly busy', async () => {
    const scene = await openBusy(20)
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    await scene.clock.advance(600_000)
    await scene.until({ warm: 1, failed: 0 })
  })
})

describe('a boot ahead that fails', () => {
  it('is tried again, later and later, and told to the log once', async () => {
    let boots = 0
    const warnings: object[] = []
    const scene = await openPool({
      logger: { ...silent, warn: (fields) => warnings.push(fields) },
      beforeBoot: async () => {
        boots += 1
        throw new AegisError('unavailable', 'sandbox.boot', 'No namespaces here.')
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await settled()
    expect(boots).toBe(1)
    await scene.clock.advance(1000 + 2000 + 4000)
    expect(boots).toBe(4)
    await scene.clock.advance(600_000)
    expect(boots).toBeLessThan(20)
    const reason = 'The sandbox did not come up: No namespaces here.'
    expect(warnings).toEqual([expect.objectContaining({ isolation: 'process', reason })])
  })

  it('is given up when it hangs, and tried again later', async () => {
    let boots = 0
    const scene = await openPool({
      beforeBoot: async (_spec, signal) => {
        boots += 1
        if (boots === 1) await aborted(signal)
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.clock.advance(59_999)
    expect({ boots, live: scene.runtime.live().length }).toEqual({ boots: 1, live: 1 })
    await scene.clock.advance(1)
    expect(scene.runtime.live()).toEqual([])
    await scene.clock.advance(1000)
    await scene.until({ warm: 1 })
  })

  it('fails no task: that one boots its own', async () => {
    let boots = 0
    const gate = Promise.withResolvers<void>()
    const scene = await openPool({
      beforeBoot: async () => {
        boots += 1
        if (boots > 1) return
        await gate.promise
        throw new AegisError('unavailable', 'sandbox.boot', 'Not this time.')
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ cold: 1 })
    const id = await scene.plane.executions.execute('echo', 'Hello')
    await settled()
    gate.resolve()
    expect((await startOf(scene, id))[0]?.warm).toBe(false)
  })
})

const whileWaiting = ({ killed }: { readonly killed: AbortSignal }): Promise<number> =>
  new Promise((resolve) => killed.addEventListener('abort', () => resolve(1)))
