import type { ControlPlane, ExecutionId, SandboxEvent } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { ControlPlaneHost } from './control-plane-host.ts'

/** What every control plane promises of sandboxes, the node itself and a client alike. */
export function describeControlPlaneSandboxes(
  name: string,
  open: () => Promise<ControlPlaneHost>,
): void {
  describe(`sandboxes of a control plane: ${name}`, () => {
    it('shows what runs, with what it uses, while it runs', async () => {
      await using host = await open()
      const { agents, executions, sandboxes } = host.plane
      expect(await sandboxes.list(forever)).toEqual([])
      const { id: agentId } = await agents.deploy(aManifest('echo'))
      const executionId = await executions.execute('echo', 'wait')
      await running(host.plane, executionId)
      const there = await sandboxes.list(forever)
      expect(there.filter(({ state }) => state === 'hot')).toEqual([
        {
          id: expect.any(String),
          isolation: 'process',
          state: 'hot',
          agentId,
          agentName: 'echo',
          executionId,
          since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          limits: { cpuMillicores: 250, memoryBytes: 128 * 1024 * 1024 },
          stats: {
            cpuMs: 1,
            memoryBytes: 1_048_576,
            memoryPeakBytes: 1_048_576,
            pids: expect.any(Number),
            ioReadBytes: 0,
            ioWriteBytes: 0,
          },
        },
      ])
      await executions.cancel(executionId)
      expect(await hotOf(host.plane, executionId)).toEqual([])
    })

    it('counts them by state, and all that there were', async () => {
      await using host = await open()
      const { agents, executions, node } = host.plane
      expect((await node.status()).sandboxes).toEqual({
        cold: 0,
        warm: 0,
        hot: 0,
        terminated: 0,
        failed: 0,
        warmStarts: 0,
        restoredStarts: 0,
        coldStarts: 0,
      })
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'wait')
      await running(host.plane, id)
      const during = (await node.status()).sandboxes
      expect(during).toMatchObject({ hot: 1, terminated: 0, failed: 0 })
      expect(during.coldStarts + during.warmStarts).toBe(1)
      await executions.cancel(id)
      const after = (await node.status()).sandboxes
      expect(after).toMatchObject({ hot: 0, failed: 0 })
      expect(after.terminated).toBeGreaterThan(0)
    })

    it('tells each step in the life of each sandbox, from now on', async () => {
      await using host = await open()
      const { agents, executions, sandboxes } = host.plane
      const { id: agentId } = await agents.deploy(aManifest('echo'))
      const enough = new AbortController()
      const steps = sandboxes.events(enough.signal)[Symbol.asyncIterator]()
      const first = steps.next()
      await heard(first, () => ended(host.plane, 'hi'))
      const id = await executions.execute('echo', 'hi')
      await finished(host.plane, id)
      const seen: SandboxEvent[] = []
      while (true) {
        const { value: step } = await steps.next()
        if (step === undefined) break
        seen.push(step)
        if (step.executionId === id && step.type === 'sandbox.terminated') break
      }
      const last = seen.at(-1)
      const life = seen.filter(({ sandboxId }) => sandboxId === last?.sandboxId)
      expect(life.map(({ type }) => type).filter((type) => type !== 'sandbox.warm')).toEqual([
        'sandbox.cold',
        'sandbox.hot',
        'sandbox.terminated',
      ])
      expect(last).toMatchObject({ isolation: 'process', agentId, agentName: 'echo' })
      expect(life[0]).not.toHaveProperty('reason')
      enough.abort()
      let rest = await steps.next()
      while (rest.done !== true) rest = await steps.next()
    })

    it('ends quietly for who does not want to hear any more', async () => {
      await using host = await open()
      const { sandboxes } = host.plane
      const already = sandboxes.events(AbortSignal.abort())
      expect(await Array.fromAsync(already)).toEqual([])
      const enough = new AbortController()
      const steps = Array.fromAsync(sandboxes.events(enough.signal))
      enough.abort()
      expect(await steps).toEqual([])
    })
  })
}

const forever = new AbortController().signal

/** Resolves when the command of an execution has been given to its sandbox. */
async function running({ executions }: ControlPlane, id: ExecutionId): Promise<void> {
  for await (const { event } of executions.events(id, { follow: true }, forever)) {
    if (event.type === 'execution.sandbox-booted') return
  }
}

async function finished({ executions }: ControlPlane, id: ExecutionId): Promise<void> {
  for await (const _ of executions.events(id, { follow: true }, forever));
}

async function ended(plane: ControlPlane, input: string): Promise<void> {
  await finished(plane, await plane.executions.execute('echo', input))
}

/** Does something again and again until the listener, who may still be on its way, hears of it. */
async function heard(news: Promise<unknown>, act: () => Promise<void>): Promise<void> {
  let isHeard = false
  const listening = news.then(() => {
    isHeard = true
  })
  while (!isHeard) await act()
  await listening
}

async function hotOf({ sandboxes }: ControlPlane, id: ExecutionId): Promise<readonly unknown[]> {
  return (await sandboxes.list(forever)).filter(({ executionId }) => executionId === id)
}
