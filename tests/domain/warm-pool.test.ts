import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { AgentGateway, SandboxEvent } from '@aegis/core'
import { aManifest, makeInMemoryStore } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { FakeCommand } from '../contract/fake-runtime.ts'
import { forever, openScene, type Scene } from './domain-scene.ts'
import { settled } from './fake-clock.ts'
import { aborted, kept, openPool, runOne, startOf } from './pool-scene.ts'

/** What is told of sandboxes from now on. */
function listen({ plane }: Scene): { readonly told: string[] } {
  const told: string[] = []
  const read = async () => {
    for await (const event of plane.sandboxes.events(forever)) told.push(inWords(event))
  }
  void read()
  return { told }
}
const inWords = ({ type, reason }: SandboxEvent): string =>
  [type.replace('sandbox.', ''), ...(reason === undefined ? [] : [reason])].join(': ')

describe('an agent with a floor', () => {
  it('has its sandboxes wait from its deploy on, and its task takes one of them', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(2)))
    await scene.until({ warm: 2 })
    const waiting = scene.runtime.live()
    const [start] = await runOne(scene)
    expect(start?.warm).toBe(true)
    expect(waiting).toContain(start?.id)
    await scene.clock.advance(20)
    await scene.until({ warm: 2, hot: 0, terminated: 1, warmStarts: 1, coldStarts: 0 })
    expect(scene.runtime.live()).not.toContain(start?.id)
  })

  it('is measured once as it boots, and again when its program speaks', async () => {
    const scene = await openPool()
    const told: string[] = []
    using _ = scene.node.sandboxFigures.onMoment(({ kind }) => told.push(kind))
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    expect(told).toEqual(['booted'])
    await runOne(scene)
    // Another one takes the place of that which was used.
    expect(told.toSorted()).toEqual(['booted', 'booted', 'spoke'])
  })

  it('has them wait when a node starts, in the background', async () => {
    const first = await openScene()
    await first.plane.agents.deploy(aManifest('echo', kept(1)))
    await first.node.stop()
    const never = Promise.withResolvers<void>()
    const second = await openPool({ store: first.store, beforeBoot: () => never.promise })
    expect((await second.plane.node.status()).sandboxes).toMatchObject({ cold: 1, warm: 0 })
    never.resolve()
    await second.until({ warm: 1 })
  })

  it('keeps them however long nobody comes, and has each replaced after an hour', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(2)))
    await scene.until({ warm: 2 })
    await scene.clock.advance(3_599_000)
    expect((await scene.plane.node.status()).sandboxes).toMatchObject({ warm: 2, terminated: 0 })
    await scene.clock.advance(60_000)
    expect((await scene.plane.node.status()).sandboxes).toMatchObject({ warm: 2, terminated: 2 })
  })

  it('shares the size of the pool with all others', async () => {
    const scene = await openPool({ warmPool: { max_size: 3 } })
    await scene.plane.agents.deploy(aManifest('one', kept(2)))
    await scene.plane.agents.deploy(aManifest('other', kept(9)))
    await scene.until({ warm: 3 })
    await scene.clock.advance(1000)
    expect(scene.runtime.live()).toHaveLength(3)
  })
})

describe('an agent that is in use', () => {
  it('gets a sandbox ahead once a second task came, and loses it when no more come', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo'))
    await runOne(scene)
    await scene.clock.advance(30_000)
    expect(scene.runtime.live()).toEqual([])
    expect((await runOne(scene))[0]?.warm).toBe(false)
    await scene.clock.advance(20)
    await scene.until({ warm: 1 })
    expect((await runOne(scene))[0]?.warm).toBe(true)
    await scene.clock.advance(20)
    await scene.until({ warm: 1 })
    await scene.clock.advance(59_000)
    expect(scene.runtime.live()).toHaveLength(1)
    await scene.clock.advance(31_000)
    expect(scene.runtime.live()).toEqual([])
  })

  it('takes over a sandbox that boots already rather than boot another', async () => {
    const gate = Promise.withResolvers<void>()
    const scene = await openPool({ beforeBoot: () => gate.promise })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    const id = await scene.plane.executions.execute('echo', 'Hello')
    await settled()
    gate.resolve()
    expect(await startOf(scene, id)).toEqual([{ warm: false, id: scene.runtime.booted[0]?.id }])
  })

  it('gets none ahead on a node that runs only its own, or was told not to', async () => {
    for (const options of [{ runs: 'own' }, { warmPool: { enabled: false } }] as const) {
      const scene = await openPool(options)
      await scene.plane.agents.deploy(aManifest('echo', kept(2)))
      await runOne(scene)
      await runOne(scene)
      await scene.clock.advance(1000)
      expect(scene.runtime.booted).toHaveLength(2)
    }
  })
})

describe('a warm sandbox', () => {
  it('serves one execution, in its environment, with its prompt, and is gone', async () => {
    const seen: unknown[] = []
    const scene = await openPool({
      agent: async ({ env, stdin, print }) => {
        const { AEGIS_EXECUTION_ID: id, AEGIS_ITERATION: iteration, LANG } = env
        seen.push({ id, iteration, LANG, standby: 'AEGIS_BOOTSTRAP_STANDBY' in env })
        for await (const chunk of stdin) await print(chunk)
        return 0
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(3)))
    await scene.until({ warm: 3 })
    const inputs = ['one\n', '{"env":{}}\ntwo', 'three']
    const ids = await Promise.all(
      inputs.map((each) => scene.plane.executions.execute('echo', each)),
    )
    const starts = (await Promise.all(ids.map((id) => startOf(scene, id)))).flat()
    expect(starts.map(({ warm }) => warm)).toEqual([true, true, true])
    expect(new Set(starts.map(({ id }) => id)).size).toBe(3)
    const outputs = ids.map(async (id) => (await scene.plane.executions.find(id)).output)
    expect(await Promise.all(outputs)).toEqual(inputs)
    const shared = { iteration: '1', LANG: 'C.UTF-8', standby: false }
    expect(seen).toHaveLength(3)
    expect(seen).toEqual(expect.arrayContaining(ids.map((id) => ({ id, ...shared }))))
  })

  it('runs the command of an agent that brings its own', async () => {
    const scene = await openPool({
      agent: async ({ argv, print }) => print(`${argv}`).then(() => 0),
    })
    await scene.plane.agents.deploy(
      aManifest('echo', kept(1, { task: { command: ['agent', 'x'] } })),
    )
    await scene.until({ warm: 1 })
    const id = await scene.plane.executions.execute('echo', 'Hello')
    expect((await startOf(scene, id))[0]?.warm).toBe(true)
    expect((await scene.plane.executions.find(id)).output).toBe('agent,x')
  })

  it('reaches nobody before it is claimed, and the door of its execution after', async () => {
    const reached: string[] = []
    const gateway: AgentGateway = {
      trustBundle: async () => new Uint8Array(),
      admit: ({ executionId }) => ({
        connect: () => void reached.push(executionId),
        [Symbol.dispose]() {},
      }),
      async [Symbol.asyncDispose]() {},
    }
    const scene = await openPool({
      gateway,
      agent: async ({ connect, print }) => {
        connect({ kind: 'agent-api' })
        return print('done').then(() => 0)
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    const early = new PassThrough()
    scene.runtime.booted[0]?.onConnect({ kind: 'agent-api' }, early)
    expect({ destroyed: early.destroyed, reached }).toEqual({ destroyed: true, reached: [] })
    const id = await scene.plane.executions.execute('echo', 'Hello')
    expect((await startOf(scene, id))[0]?.warm).toBe(true)
    expect(reached).toEqual([id])
  })

  it('that is lost while it waits is replaced, later and later, and no task hears of it', async () => {
    const scene = await openPool()
    const { told } = listen(scene)
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    scene.runtime.lose(scene.runtime.live()[0] ?? '', 'sandbox_lost')
    await settled()
    expect(scene.runtime.live()).toEqual([])
    expect(told.at(-1)).toBe('failed: The sandbox ended by itself (sandbox lost).')
    await scene.clock.advance(999)
    expect(scene.runtime.booted).toHaveLength(1)
    await scene.clock.advance(1)
    await scene.until({ warm: 1, failed: 1 })
    scene.runtime.lose(scene.runtime.live()[0] ?? '', 'sandbox_lost')
    await settled()
    expect((await runOne(scene))[0]?.warm).toBe(false)
    expect(scene.runtime.booted).toHaveLength(3)
    await scene.clock.advance(1999)
    expect(scene.runtime.booted).toHaveLength(3)
    await scene.clock.advance(1)
    await scene.until({ warm: 1, failed: 2 })
  })

  it('that is lost with all others, as with their engine, is a single failure', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(4)))
    await scene.until({ warm: 4 })
    for (const id of scene.runtime.live()) scene.runtime.lose(id, 'sandbox_lost')
    await settled()
    await scene.clock.advance(1000)
    await scene.until({ warm: 4, failed: 4 })
  })

  it('that is lost after a while is replaced as soon as the first one', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    for (const failed of [1, 2, 3]) {
      await scene.until({ warm: 1 })
      await scene.clock.advance(60_000)
      scene.runtime.lose(scene.runtime.live()[0] ?? '', 'sandbox_lost')
      await settled()
      await scene.clock.advance(1000)
      await scene.until({ warm: 1, failed })
    }
  })

  it('whose script ends while it waits is destroyed, and not booted again and again', async () => {
    const scene = await openPool({ standby: async () => 3 })
    const { told } = listen(scene)
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ failed: 1 })
    await settled()
    expect(told).toContain('failed: The bootstrap script ended while it waited (exit code 3).')
    expect(scene.runtime.live()).toEqual([])
    await scene.clock.advance(999)
    expect(scene.runtime.booted).toHaveLength(1)
    expect((await runOne(scene))[0]?.warm).toBe(false)
  })

  it.each([
    ['the script', {}],
    ['the command', { task: { command: ['agent', 'x'] as const } }],
  ])('that is lost as it is claimed leaves its task to another: %s', async (_what, changes) => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(2, changes)))
    await scene.until({ warm: 2 })
    const [oldest = '', next] = scene.runtime.live()
    scene.store.events.subscribe((recorded) => {
      const started = recorded.some(({ event }) => event.type === 'execution.started')
      if (started) scene.runtime.lose(oldest, 'sandbox_lost')
    })
    expect((await runOne(scene)).at(-1)).toEqual({ warm: true, id: next })
  })

  it('whose script is killed as it begins leaves its task to a new one, and to no third', async () => {
    const killed: FakeCommand = async ({ stdin }) => {
      await text(stdin)
      for (const id of scene.runtime.live()) scene.runtime.lose(id, 'sandbox_lost')
      return 0
    }
    const scene = await openPool({ agent: killed, standby: killed })
    await scene.plane.agents.deploy(aManifest('echo', kept(5)))
    await scene.until({ warm: 5 })
    const id = await scene.plane.executions.execute('echo', 'Hello')
    const events = await scene.finished(id)
    expect(events.at(-1)).toMatchObject({ failure: { cause: 'sandbox_lost' } })
    const booted = events.filter(({ type }) => type === 'execution.sandbox-booted')
    expect(booted).toMatchObject([{ warm: true }, { warm: false }])
  })
})

describe('nothing waits', () => {
  it('of an older revision', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    const [old] = scene.runtime.live()
    const changed = aManifest('echo', kept(1, { version: '2.0.0' }))
    await scene.plane.agents.deploy(changed, { replace: true })
    await scene.until({ warm: 1, terminated: 1 })
    expect(scene.runtime.live()).not.toContain(old)
  })

  it('for a paused agent, until it is resumed', async () => {
    const scene = await openPool()
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    await scene.plane.agents.pause('echo')
    await scene.until({ warm: 0, terminated: 1 })
    await scene.clock.advance(100_000)
    expect(scene.runtime.live()).toEqual([])
    const changed = aManifest('echo', kept(2, { version: '2.0.0' }))
    await scene.plane.agents.deploy(changed, { replace: true })
    await settled()
    expect(scene.runtime.live()).toEqual([])
    await scene.plane.agents.resume('echo')
    await scene.until({ warm: 2 })
  })

  it('for an agent that is lent paths of the host, by its floor or after its tasks', async () => {
    const scene = await openPool()
    const lent = kept(1, { filesystem: { read: ['/srv/data'] } })
    await scene.plane.agents.deploy(aManifest('lent', lent))
    const own = kept(1, { filesystem: { read: ['/tmp/x'], write: ['/workspace'] } })
    await scene.plane.agents.deploy(aManifest('own', own))
    await scene.until({ warm: 1 })
    await runOne(scene, 'lent')
    expect((await runOne(scene, 'lent'))[0]?.warm).toBe(false)
    await scene.clock.advance(1000)
    expect(scene.runtime.live()).toHaveLength(1)
    expect((await runOne(scene, 'own'))[0]?.warm).toBe(true)
  })

  it('for a removed agent, nor boots for it', async () => {
    const gate = Promise.withResolvers<void>()
    const scene = await openPool({
      beforeBoot: async (_spec, signal) => {
        await Promise.race([gate.promise, aborted(signal)])
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ cold: 1 })
    await scene.plane.agents.remove('echo')
    await scene.until({ cold: 0, terminated: 1, failed: 0 })
    expect(scene.runtime.live()).toEqual([])
  })

  it('behind a node that stops, not even what boots', async () => {
    let boots = 0
    const scene = await openPool({
      beforeBoot: async (_spec, signal) => {
        boots += 1
        if (boots === 2) await aborted(signal)
      },
    })
    await scene.plane.agents.deploy(aManifest('echo', kept(2)))
    await scene.until({ warm: 1, cold: 1 })
    await scene.node.stop()
    expect(scene.runtime.live()).toEqual([])
    const counts = { cold: 0, warm: 0, terminated: 2, failed: 0 }
    expect((await scene.plane.node.status()).sandboxes).toMatchObject(counts)
  })
})

describe('a task', () => {
  it('costs six writes at most, and its end a single one', async () => {
    const writes: string[] = []
    const store = makeInMemoryStore({
      failBefore: ({ events }) => void writes.push(events.map(({ type }) => type).join(' ')),
    })
    const scene = await openPool({ store })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ warm: 1 })
    writes.length = 0
    expect((await runOne(scene))[0]?.warm).toBe(true)
    expect(writes.length).toBeLessThanOrEqual(6)
    expect(writes.at(-1)).toBe(
      'execution.sandbox-terminated execution.iteration-completed execution.completed',
    )
  })

  it('is over when its outcome is stored, and its room is free when its sandbox is gone', async () => {
    const gate = Promise.withResolvers<void>()
    const scene = await openPool({ cpuMillicores: 500, beforeDispose: () => gate.promise })
    await scene.plane.agents.deploy(aManifest('echo'))
    const first = await scene.plane.executions.execute('echo', 'one')
    await startOf(scene, first)
    const second = await scene.plane.executions.execute('echo', 'two')
    await settled()
    expect(scene.runtime.live()).toHaveLength(1)
    expect((await scene.plane.executions.find(second)).status).toBe('queued')
    gate.resolve()
    await startOf(scene, second)
  })

  it('tries again only when its last sandbox is gone', async () => {
    const gate = Promise.withResolvers<void>()
    let most = 0
    const scene = await openPool({
      agent: async ({ env, print }) => {
        most = Math.max(most, scene.runtime.live().length)
        await print('x')
        return env.AEGIS_ITERATION === '2' ? 0 : 1
      },
      beforeDispose: () => gate.promise,
    })
    const twice = { execution: { mode: 'iterative', max_retries: 2 } } as const
    await scene.plane.agents.deploy(aManifest('echo', twice))
    const id = await scene.plane.executions.execute('echo', 'x')
    await settled()
    expect(scene.runtime.booted).toHaveLength(1)
    gate.resolve()
    await startOf(scene, id)
    expect(most).toBe(1)
  })

  it('that is cancelled while it waits for a boot ends that boot', async () => {
    const scene = await openPool({ beforeBoot: (_spec, signal) => aborted(signal) })
    await scene.plane.agents.deploy(aManifest('echo', kept(1)))
    await scene.until({ cold: 1 })
    const id = await scene.plane.executions.execute('echo', 'x')
    await settled()
    await scene.plane.agents.pause('echo')
    expect(await scene.plane.executions.cancel(id)).toBe('cancelled')
    expect(scene.runtime.live()).toEqual([])
  })

  it('of many at once finds its own sandbox, warm or cold', async () => {
    const scene = await openPool({ cpuMillicores: 100_000 })
    await scene.plane.agents.deploy(aManifest('echo', kept(5)))
    await scene.until({ warm: 5 })
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) => scene.plane.executions.execute('echo', `${index}`)),
    )
    const starts = (await Promise.all(ids.map((id) => startOf(scene, id)))).flat()
    expect(new Set(starts.map(({ id }) => id)).size).toBe(20)
    const { warmStarts, coldStarts } = (await scene.plane.node.status()).sandboxes
    expect(warmStarts).toBeGreaterThanOrEqual(5)
    expect(warmStarts + coldStarts).toBe(20)
  })
})
