import { AegisError, type ExecutionEvent, type PolicyEngine } from '@aegis/core'
import { aManifest, makeInMemoryStore, openPolicies } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { forever, openScene } from './domain-scene.ts'

const types = (events: readonly ExecutionEvent[]) =>
  events.map(({ type }) => type.replace('execution.', ''))

describe('an execution', () => {
  it('goes from queued to completed through one sandbox, and leaves none behind', async () => {
    const { plane, finished, runtime } = await openScene()
    await plane.agents.deploy(aManifest('echo'))
    const id = await plane.executions.execute('echo', 'Hello')
    expect(types(await finished(id))).toEqual([
      'queued',
      'started',
      'iteration-started',
      'sandbox-booted',
      'console',
      'sandbox-terminated',
      'iteration-completed',
      'completed',
    ])
    expect(await plane.executions.find(id)).toMatchObject({
      status: 'completed',
      output: 'Hello',
      input: 'Hello',
      iterationDetails: [{ number: 1, status: 'success', output: 'Hello' }],
    })
    expect(runtime.live()).toEqual([])
  })

  it('fails with the exit code as its cause, in one try when it is one-shot', async () => {
    const { plane, finished } = await openScene({
      agent: async ({ complain }) => {
        await complain('Traceback:\n  boom\n\n')
        return 3
      },
    })
    await plane.agents.deploy(aManifest('echo'))
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({
      type: 'execution.failed',
      failure: {
        cause: 'exit_code',
        exitCode: 3,
        message: 'The command ended with exit code 3. Its last words: boom',
      },
      iterations: 1,
    })
  })

  it('tries again when it is iterative, and tells each try of the ones before', async () => {
    const histories: unknown[] = []
    const { plane, finished } = await openScene({
      agent: async ({ env, print }) => {
        histories.push(JSON.parse(env.AEGIS_ITERATION_HISTORY ?? ''))
        await print(`try ${env.AEGIS_ITERATION}`)
        return histories.length < 3 ? 1 : 0
      },
    })
    await plane.agents.deploy(
      aManifest('echo', { execution: { mode: 'iterative', max_retries: 5 } }),
    )
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'try 3' })
    expect(histories).toMatchObject([
      [],
      [{ iteration: 1, output: 'try 1', error: 'exit_code' }],
      [{ iteration: 1 }, { iteration: 2, output: 'try 2' }],
    ])
  })

  it('fails by name when it prints nothing', async () => {
    const { plane, finished } = await openScene({ agent: async () => 0 })
    await plane.agents.deploy(aManifest('echo'))
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({ failure: { cause: 'empty_output' } })
  })

  it('times out as a whole, and its sandbox is gone', async () => {
    const { plane, finished, runtime } = await openScene({
      agent: untilKilled,
      limits: { timeoutMs: 30 },
    })
    await plane.agents.deploy(aManifest('echo'))
    const id = await plane.executions.execute('echo', 'x')
    expect((await finished(id)).at(-1)).toMatchObject({
      type: 'execution.timed-out',
      failure: { cause: 'time_limit' },
    })
    expect((await plane.executions.find(id)).status).toBe('timed_out')
    expect(runtime.live()).toEqual([])
  })

  it('refuses an iteration that takes too long, and tries the next', async () => {
    let tries = 0
    const { plane, finished } = await openScene({
      agent: (io) => {
        tries += 1
        return tries === 1 ? untilKilled(io) : io.print('in time').then(() => 0)
      },
      limits: { iterationTimeoutMs: 30 },
    })
    await plane.agents.deploy(
      aManifest('echo', { execution: { mode: 'iterative', max_retries: 2 } }),
    )
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'execution.iteration-failed',
        failure: expect.objectContaining({ cause: 'time_limit' }),
      }),
    )
    expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'in time' })
  })

  it('says that the sandbox did not come up, and why', async () => {
    const { plane, finished } = await openScene({
      beforeBoot: async () => {
        throw new AegisError('unavailable', 'sandbox.boot', 'No namespaces here.')
      },
    })
    await plane.agents.deploy(aManifest('echo'))
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({
      failure: { cause: 'boot_failed', message: expect.stringContaining('No namespaces here.') },
    })
  })

  it('says by its cause that a machine proved no random numbers of its own', async () => {
    const { plane, finished } = await openScene({
      beforeBoot: async () => {
        throw new AegisError('unavailable', 'guest.reseed', 'It has those of another.')
      },
    })
    await plane.agents.deploy(aManifest('echo'))
    const events = await finished(await plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({
      failure: { cause: 'reseed_failed', message: expect.stringContaining('those of another') },
    })
  })

  it('names the limit that ended its sandbox', async () => {
    const scene = await openScene({
      agent: async (io) => {
        const [id] = scene.runtime.live()
        if (id !== undefined) scene.runtime.lose(id, 'memory_limit')
        return untilKilled(io)
      },
    })
    await scene.plane.agents.deploy(aManifest('echo'))
    const events = await scene.finished(await scene.plane.executions.execute('echo', 'x'))
    expect(events.at(-1)).toMatchObject({ failure: { cause: 'memory_limit' } })
    const counts = { terminated: 0, failed: 1 }
    expect((await scene.plane.node.status()).sandboxes).toMatchObject(counts)
  })

  it('gives each follower every event once, also one who comes back', async () => {
    const { plane, finished } = await openScene({
      agent: async ({ print }) => {
        for (let line = 0; line < 20; line++) await print(`line ${line}\n`)
        return 0
      },
    })
    await plane.agents.deploy(aManifest('echo'))
    const id = await plane.executions.execute('echo', 'x')
    const first: number[] = []
    for await (const { version } of plane.executions.events(id, { follow: true }, forever)) {
      first.push(version)
      if (first.length === 3) break
    }
    const rest: number[] = []
    const again = plane.executions.events(id, { follow: true, after: 3 }, forever)
    for await (const { version } of again) rest.push(version)
    const all = await finished(id)
    expect([...first, ...rest]).toEqual(all.map((_event, index) => index + 1))
  })
})

describe('cancelling', () => {
  it('ends what runs, with its sandbox, and says so once', async () => {
    const { plane, finished, runtime } = await openScene({ agent: untilKilled })
    await plane.agents.deploy(aManifest('echo'))
    const id = await plane.executions.execute('echo', 'x')
    for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
      if (event.type === 'execution.sandbox-booted') break
    }
    expect(await plane.executions.cancel(id, 'enough')).toBe('cancelled')
    expect((await finished(id)).at(-1)).toMatchObject({
      type: 'execution.cancelled',
      reason: 'enough',
    })
    expect(runtime.live()).toEqual([])
    expect(await plane.executions.cancel(id)).toBe('cancelled')
  })

  it('takes what waits out of the queue before it starts', async () => {
    const { plane, finished, runtime } = await openScene({
      agent: untilKilled,
      cpuMillicores: 500,
    })
    await plane.agents.deploy(aManifest('echo'))
    const running = await plane.executions.execute('echo', 'x')
    const waiting = await plane.executions.execute('echo', 'y')
    await plane.executions.cancel(waiting)
    expect(types(await finished(waiting))).toEqual(['queued', 'cancelled'])
    await plane.executions.cancel(running)
    expect(runtime.booted.length).toBeLessThanOrEqual(1)
  })

  it('leaves a completed execution as it is', async () => {
    const { plane, finished } = await openScene()
    await plane.agents.deploy(aManifest('echo'))
    const id = await plane.executions.execute('echo', 'x')
    await finished(id)
    expect(await plane.executions.cancel(id)).toBe('completed')
  })
})

describe('a node that stops', () => {
  it('leaves what ran to the next one, which runs it to its end', async () => {
    const first = await openScene({ agent: untilKilled })
    await first.plane.agents.deploy(aManifest('echo'))
    const id = await first.plane.executions.execute('echo', 'again')
    for await (const { event } of first.plane.executions.events(id, { follow: true }, forever)) {
      if (event.type === 'execution.sandbox-booted') break
    }
    await first.node.stop()
    expect(first.runtime.live()).toEqual([])

    const second = await openScene({ store: first.store })
    const events = await second.finished(id)
    expect(types(events)).toContain('interrupted')
    expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'again' })
  })
})

describe('what an operator has taken back since the deploy', () => {
  it('is not lent to a sandbox, and the execution says so', async () => {
    const denied = { allow: false, policies: ['late.cedar#1'], because: 'late.cedar#1 forbids it.' }
    const policies: PolicyEngine = {
      ...openPolicies,
      forAgent: (agent) => ({
        decide: (request) =>
          request.action === 'fs.read' ? denied : openPolicies.forAgent(agent).decide(request),
      }),
    }
    const scene = await openScene({ policies })
    const manifest = aManifest('reader', { filesystem: { read: ['/srv/data'] } })
    await scene.plane.agents.deploy(manifest)
    const events = await scene.finished(await scene.plane.executions.execute('reader', ''))
    expect(types(events)).not.toContain('sandbox-booted')
    expect(events.find(({ type }) => type === 'execution.denied')).toMatchObject({
      action: 'fs.read',
      subject: '/srv/data',
      policies: ['late.cedar#1'],
    })
    expect(events.at(-1)).toMatchObject({
      type: 'execution.failed',
      failure: { cause: 'denied', message: 'late.cedar#1 forbids it.' },
    })
  })
})

describe('a node that runs only its own', () => {
  it('leaves what others queued to one that stays', async () => {
    const store = makeInMemoryStore()
    const first = await openScene({ agent: untilKilled, store, cpuMillicores: 500 })
    await first.plane.agents.deploy(aManifest('echo'))
    await first.plane.executions.execute('echo', 'runs')
    const waiting = await first.plane.executions.execute('echo', 'waits')
    await first.node.stop()

    const command = await openScene({ store, runs: 'own' })
    const own = await command.plane.executions.execute('echo', 'mine')
    expect((await command.finished(own)).at(-1)?.type).toBe('execution.completed')
    await command.node.stop()
    expect(await command.plane.executions.find(waiting)).toMatchObject({
      status: 'queued',
      interruptions: 0,
    })

    const second = await openScene({ store })
    expect((await second.finished(waiting)).at(-1)?.type).toBe('execution.completed')
  })
})

const untilKilled = ({ killed }: { readonly killed: AbortSignal }): Promise<number> =>
  new Promise((resolve) => killed.addEventListener('abort', () => resolve(1)))
