import { AegisError, type AgentGateway, type AuditEntry } from '@aegis/core'
import { aManifest, makeInMemoryStore } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { openScene, type Scene } from './domain-scene.ts'
import { makeFakeSnapshots } from './fake-snapshots.ts'
import { openPool, runOne } from './pool-scene.ts'

async function open(options: Parameters<typeof openPool>[0] = {}) {
  const snapshots = makeFakeSnapshots()
  const entries: AuditEntry[] = []
  const audit = { record: async (some: readonly AuditEntry[]) => void entries.push(...some) }
  const scene = await openPool({ disguise: snapshots.over, audit, ...options })
  return Object.assign(scene, { snapshots, entries })
}

const wayOf = async (scene: Scene) => {
  const id = await scene.plane.executions.execute('echo', 'Hello')
  const events = await scene.finished(id)
  expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'Hello' })
  return events.flatMap((event) =>
    event.type === 'execution.sandbox-booted' ? [{ ...event }] : [],
  )
}

/** Until what was booted ahead is gone again. */
const idle = async (scene: Awaited<ReturnType<typeof open>>) => {
  await scene.clock.advance(1000)
  await scene.until({ warm: 1 })
  await scene.clock.advance(120_000)
  await scene.until({ warm: 0, cold: 0 })
}

describe('an agent on a runtime that makes snapshots', () => {
  it('has one made with its first task, from which later ones start', async () => {
    const scene = await open()
    await scene.plane.agents.deploy(aManifest('echo'))
    expect(await wayOf(scene)).toMatchObject([{ warm: false }])
    await idle(scene)
    expect(scene.snapshots.made).toHaveLength(1)
    const [boot] = await wayOf(scene)
    expect(boot).toMatchObject({ warm: false, restored: true })
    const { sandboxes } = await scene.plane.node.status()
    expect(sandboxes).toMatchObject({ warmStarts: 0, restoredStarts: 1, coldStarts: 1 })
    const own = scene.entries.filter(({ type }) => type.startsWith('sandbox.'))
    expect(own).toMatchObject([
      { type: 'sandbox.snapshot-kept', data: { revision: 1, sandboxId: expect.any(String) } },
    ])
  })

  it('has no more than one made, however many are wanted at once', async () => {
    const scene = await open()
    const floor = { advanced: { warm_pool_size: 3 } }
    await scene.plane.agents.deploy(aManifest('echo', floor))
    await scene.until({ warm: 3 })
    expect(scene.snapshots.made).toHaveLength(1)
    expect(scene.snapshots.restored).toHaveLength(3)
  })

  it('gets another one with another version, and none when it is gone', async () => {
    const scene = await open()
    const { id } = await scene.plane.agents.deploy(aManifest('echo'))
    await runOne(scene)
    await idle(scene)
    await scene.plane.agents.deploy(aManifest('echo', { task: { instruction: 'Other' } }), {
      replace: true,
    })
    await runOne(scene)
    await idle(scene)
    expect(scene.snapshots.made).toEqual([`${id} 1`, `${id} 2`])
    expect([...scene.snapshots.kept]).toEqual([`${id} 2`])
    await scene.plane.agents.remove('echo')
    await scene.clock.advance(1)
    expect([...scene.snapshots.kept]).toEqual([])
  })

  it.each([
    new AegisError('denied', 'snapshot.altered', 'Its files were changed'),
    new AegisError('denied', 'snapshot.version', 'It is of another version'),
    new AegisError('unavailable', 'guest.reseed', 'It showed the numbers of another'),
  ])('is booted where its snapshot is refused, which is audited ($code)', async (refusal) => {
    const scene = await open()
    await scene.plane.agents.deploy(aManifest('echo'))
    await runOne(scene)
    await idle(scene)
    scene.snapshots.refusal = refusal
    const [boot] = await wayOf(scene)
    expect(boot).not.toHaveProperty('restored')
    const { code, message: reason } = refusal
    const refused = scene.entries.find(({ type }) => type === 'sandbox.snapshot-refused')
    expect(refused).toMatchObject({
      data: { revision: 1, sandboxId: boot?.sandboxId, code, reason },
    })
    await idle(scene)
    expect(scene.snapshots.made).toHaveLength(2)
  })

  it('is booted where the host is too full for its snapshot, which is kept', async () => {
    const scene = await open()
    await scene.plane.agents.deploy(aManifest('echo'))
    await runOne(scene)
    await idle(scene)
    scene.snapshots.refusal = new AegisError('exhausted', 'machine.disk', 'The disk is full')
    expect((await wayOf(scene))[0]).not.toHaveProperty('restored')
    expect(scene.entries.map(({ type }) => type)).not.toContain('sandbox.snapshot-refused')
  })

  it('is booted where none can be made, which is tried three times', async () => {
    const scene = await open()
    scene.snapshots.obstacle = new AegisError('conflict', 'guest.busy', 'It does not rest')
    await scene.plane.agents.deploy(aManifest('echo'))
    for (let task = 0; task < 5; task++) {
      expect((await wayOf(scene))[0]).not.toHaveProperty('restored')
      await scene.clock.advance(1000)
      await scene.clock.advance(120_000)
    }
    expect((await scene.plane.node.status()).sandboxes.failed).toBe(3)
  })

  it('trusts whom its node trusts now, and not when the snapshot was made', async () => {
    const lives = { count: 1 }
    const gateway: AgentGateway = {
      trustBundle: async () => Buffer.from(`authority of life ${lives.count}`),
      admit: () => ({ connect: (_, stream) => stream.destroy(), [Symbol.dispose]() {} }),
      async [Symbol.asyncDispose]() {},
    }
    const scene = await open({
      gateway,
      agent: async ({ files, print }) => {
        await print(files.get('/tmp/.aegis/ca-bundle.pem') ?? 'nobody')
        return 0
      },
    })
    const network = { mode: 'allow', http: [{ host: 'a.com', methods: ['GET'] }] } as const
    await scene.plane.agents.deploy(aManifest('echo', { network }))
    await runOne(scene)
    await idle(scene)
    lives.count = 2
    const id = await scene.plane.executions.execute('echo', 'Hello')
    const events = await scene.finished(id)
    expect(events).toContainEqual(expect.objectContaining({ restored: true }))
    expect(events.at(-1)).toMatchObject({ output: 'authority of life 2' })
    expect(scene.snapshots.made).toHaveLength(1)
  })

  it('has none made of a program of its own, which could not wait', async () => {
    const scene = await open()
    const own = aManifest('echo', { task: { command: ['agent'] } })
    await scene.plane.agents.deploy(own)
    await runOne(scene)
    await scene.clock.advance(1000)
    expect(scene.snapshots.made).toEqual([])
  })

  it('is booted anew where what came out of its snapshot dies before it did anything', async () => {
    const scene = await open()
    await scene.plane.agents.deploy(aManifest('echo'))
    await runOne(scene)
    await idle(scene)
    scene.snapshots.isDeadly = true
    const boots = await wayOf(scene)
    expect(boots).toMatchObject([{ restored: true }, { warm: false }])
    expect(boots[1]).not.toHaveProperty('restored')
  })
})

describe('a node that starts', () => {
  it('forgets the snapshots of agents that it does not have', async () => {
    const snapshots = makeFakeSnapshots()
    snapshots.kept.add('nobody 1')
    const store = makeInMemoryStore()
    await openScene({ store, warmPool: {}, disguise: snapshots.over })
    expect([...snapshots.kept]).toEqual([])
  })

  it('starts from those of the agents that it has', async () => {
    const snapshots = makeFakeSnapshots()
    const store = makeInMemoryStore()
    const first = await openPool({ store, disguise: snapshots.over })
    const { id } = await first.plane.agents.deploy(aManifest('echo'))
    await first.node.stop()
    snapshots.kept.add(`${id} 1`)
    const second = await openPool({ store, disguise: snapshots.over })
    expect((await wayOf(second))[0]).toMatchObject({ restored: true })
    expect(snapshots.made).toEqual([])
  })
})
