import type { ControlPlane, ExecutionStatus, VersionedEvent } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { ControlPlaneHost } from './control-plane-host.ts'

/**
 * What every control plane promises, the node itself and a client alike. Its agents answer their
 * input, wait forever for `wait`, and exit with 3 for `fail`.
 */
export function describeControlPlane(name: string, open: () => Promise<ControlPlaneHost>): void {
  describe(`control plane: ${name}`, () => {
    it('deploys an agent once, and tells a change from a repetition', async () => {
      await using host = await open()
      const { agents } = host.plane
      const first = await agents.deploy(aManifest('echo'))
      expect(first).toMatchObject({ revision: 1, changed: true })
      expect(await agents.deploy(aManifest('echo'))).toEqual({ ...first, changed: false })
      const other = aManifest('echo', { version: '2.0.0' })
      await expect(agents.deploy(other)).rejects.toMatchObject({
        kind: 'conflict',
        code: 'agent.exists',
        details: { name: 'echo', revision: 1 },
      })
      const second = await agents.deploy(other, { replace: true })
      expect(second).toEqual({ id: first.id, revision: 2, changed: true, warnings: [] })
    })

    it('finds an agent by name and by id, with all that a list shows', async () => {
      await using host = await open()
      const { agents } = host.plane
      expect(await agents.list()).toEqual([])
      const { id } = await agents.deploy(aManifest('echo'))
      const found = await agents.find('echo')
      expect(found).toMatchObject({
        id,
        name: 'echo',
        version: '1.0.0',
        description: '',
        status: 'active',
        labels: {},
        revision: 1,
        executionCount: 0,
      })
      expect(found.createdAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
      expect(await agents.find(id)).toEqual(found)
      expect(await agents.list()).toEqual([found])
    })

    it('shows policies, explains what they decide, and checks others', async () => {
      await using host = await open()
      const { agents, policies } = host.plane
      const { id } = await agents.deploy(aManifest('echo'))
      const { folder, problems, policies: all } = await policies.list()
      expect({ folder, problems, all }).toEqual({ folder: '/policies', problems: [], all: [] })
      expect(await policies.list({ agentRef: 'echo' })).toMatchObject({ closed: false })
      const request = {
        action: 'network.connect',
        host: 'example.com',
        port: 443,
        http: { method: 'GET', path: '/', headers: { accept: '*/*' } },
      } as const
      const found = { allow: true, policies: ['test'], because: 'A test permits it.', deciding: [] }
      expect(await policies.explain('echo', request)).toEqual(found)
      expect(await policies.explain(id, { action: 'fs.read', path: '/' })).toEqual(found)
      const files = [{ name: 'a.cedar', text: '' }]
      const sound = { problems: [], warnings: [], policies: 0, refused: [] }
      expect(await policies.check(files, { againstAgents: true })).toEqual(sound)
      await expect(policies.explain('absent', request)).rejects.toMatchObject({
        code: 'agent.absent',
      })
      await expect(policies.list({ agentRef: 'absent' })).rejects.toMatchObject({
        code: 'agent.absent',
      })
    })

    it('gives back each revision of a manifest as it was deployed', async () => {
      await using host = await open()
      const { agents } = host.plane
      const [one, two] = [aManifest('echo'), aManifest('echo', { version: '2.0.0' })]
      await agents.deploy(one)
      await agents.deploy(two, { replace: true })
      expect(await agents.manifest('echo')).toEqual(two)
      expect(await agents.manifest('echo', 1)).toEqual(one)
      await expect(agents.manifest('echo', 3)).rejects.toMatchObject({ kind: 'not-found' })
    })

    it.each([
      'nobody',
      '00000000-0000-4000-8000-000000000000',
      'No Such Agent!',
      '',
      '../node',
    ])('knows no agent %j', async (ref) => {
      await using host = await open()
      const { agents, executions } = host.plane
      const absent = { kind: 'not-found', code: 'agent.absent' }
      await expect(agents.find(ref)).rejects.toMatchObject(absent)
      await expect(agents.manifest(ref)).rejects.toMatchObject(absent)
      await expect(agents.remove(ref)).rejects.toMatchObject(absent)
      await expect(agents.pause(ref)).rejects.toMatchObject(absent)
      await expect(agents.resume(ref)).rejects.toMatchObject(absent)
      await expect(executions.execute(ref, {})).rejects.toMatchObject(absent)
      await expect(collect(agents.events(ref, {}, forever))).rejects.toMatchObject(absent)
    })

    it('takes an agent by the name of a route', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('lookup'))
      expect(await agents.find('lookup')).toMatchObject({ name: 'lookup' })
      await waitFor(host.plane, await executions.execute('lookup', 'hi'))
      expect(await collect(agents.events('lookup', {}, forever))).not.toEqual([])
      await agents.pause('lookup')
      await agents.resume('lookup')
      await agents.remove('lookup')
    })

    it('runs nothing on a paused agent until it is resumed', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      await agents.pause('echo', 'budget')
      expect(await agents.find('echo')).toMatchObject({ status: 'paused' })
      await expect(executions.execute('echo', 'hi')).rejects.toMatchObject({
        kind: 'conflict',
        code: 'agent.paused',
      })
      await agents.resume('echo')
      expect(await waitFor(host.plane, await executions.execute('echo', 'hi'))).toBe('completed')
    })

    it('removes an agent and cancels what it was doing', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'wait')
      await agents.remove('echo')
      expect(await agents.list()).toEqual([])
      expect(await waitFor(host.plane, id)).toBe('cancelled')
    })

    it('runs a task and tells its whole story', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      const { id: agentId } = await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'Grüße, 世界\n\u2028', { priority: 7 })
      const events = await collect(executions.events(id, { follow: true }, forever))
      expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1))
      expect(events[0]?.event).toMatchObject({
        type: 'execution.queued',
        agentId,
        input: 'Grüße, 世界\n\u2028',
        priority: 7,
      })
      expect(events.at(-1)?.event).toMatchObject({
        type: 'execution.completed',
        output: 'Grüße, 世界\n\u2028',
      })
      expect(await executions.find(id)).toMatchObject({
        id,
        agentId,
        agentName: 'echo',
        status: 'completed',
        iterations: 1,
        failure: undefined,
        iterationDetails: [{ number: 1, status: 'success', error: undefined }],
      })
    })

    it('says why a task failed', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'fail')
      expect(await waitFor(host.plane, id)).toBe('failed')
      const { failure } = await executions.find(id)
      expect(failure).toMatchObject({ cause: 'exit_code', exitCode: 3 })
    })

    it('reads events from any version on', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'hi')
      const all = await collect(executions.events(id, { follow: true }, forever))
      expect(await collect(executions.events(id, {}, forever))).toEqual(all)
      const after = await collect(executions.events(id, { after: 3 }, forever))
      expect(after).toEqual(all.slice(3))
      const none = executions.events(id, { after: all.length, follow: true }, forever)
      expect(await collect(none)).toEqual([])
    })

    it('stops following, without an error, when the signal is aborted', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'wait')
      const controller = new AbortController()
      const seen: string[] = []
      for await (const { event } of executions.events(id, { follow: true }, controller.signal)) {
        seen.push(event.type)
        if (event.type === 'execution.sandbox-booted') controller.abort()
      }
      expect(seen.at(-1)).toBe('execution.sandbox-booted')
      await executions.cancel(id)
    })

    it('cancels once, and leaves a finished execution as it is', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'wait')
      expect(await executions.cancel(id, 'enough')).toBe('cancelled')
      expect(await executions.cancel(id)).toBe('cancelled')
      const done = await executions.execute('echo', 'hi')
      expect(await waitFor(host.plane, done)).toBe('completed')
      expect(await executions.cancel(done)).toBe('completed')
    })

    it('lists executions, newest first, by agent, by status, and not more than asked', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('one'))
      await agents.deploy(aManifest('two'))
      const first = await executions.execute('one', 'hi')
      const second = await executions.execute('two', 'fail')
      await waitFor(host.plane, first)
      await waitFor(host.plane, second)
      const ids = async (filter: Parameters<typeof executions.list>[0]) =>
        (await executions.list(filter)).map(({ id }) => id)
      expect(await ids({})).toEqual([second, first])
      expect(await ids({ limit: 1 })).toEqual([second])
      expect(await ids({ agentRef: 'one' })).toEqual([first])
      expect(await ids({ status: 'failed' })).toEqual([second])
      expect(await ids({ status: 'running' })).toEqual([])
      const absent = { kind: 'not-found', code: 'agent.absent' }
      await expect(executions.list({ agentRef: 'nobody' })).rejects.toMatchObject(absent)
    })

    it('removes only what has finished', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const id = await executions.execute('echo', 'wait')
      await expect(executions.remove(id)).rejects.toMatchObject({
        kind: 'conflict',
        code: 'execution.running',
      })
      await executions.cancel(id)
      await executions.remove(id)
      await expect(executions.find(id)).rejects.toMatchObject({ code: 'execution.absent' })
    })

    it.each([
      'nothing',
      '',
      '00000000-0000-4000-8000-000000000000',
      '../agents',
    ])('knows no execution %j', async (id) => {
      await using host = await open()
      const { executions } = host.plane
      const absent = { kind: 'not-found', code: 'execution.absent' }
      await expect(executions.find(id)).rejects.toMatchObject(absent)
      await expect(executions.cancel(id)).rejects.toMatchObject(absent)
      await expect(executions.remove(id)).rejects.toMatchObject(absent)
      await expect(collect(executions.events(id, {}, forever))).rejects.toMatchObject(absent)
    })

    it('shows the events of all executions of an agent, oldest execution first', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const ids = [await executions.execute('echo', 'a'), await executions.execute('echo', 'b')]
      for (const id of ids) await waitFor(host.plane, id)
      const events = await collect(agents.events('echo', {}, forever))
      const expected = []
      for (const executionId of ids) {
        for (const one of await collect(executions.events(executionId, {}, forever))) {
          expected.push({ executionId, ...one })
        }
      }
      expect(events).toEqual(expected)
    })

    it('goes on with later executions of an agent while it is followed', async () => {
      await using host = await open()
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const first = await executions.execute('echo', 'a')
      const controller = new AbortController()
      const ended: string[] = []
      for await (const one of agents.events('echo', { follow: true }, controller.signal)) {
        if (one.event.type !== 'execution.completed') continue
        ended.push(one.executionId)
        if (one.executionId === first) ended.push(await executions.execute('echo', 'b'))
        else controller.abort()
      }
      expect(ended).toEqual([first, ended[1], ended[1]])
    })

    it('reports on the node', async () => {
      await using host = await open()
      const status = await host.plane.node.status()
      expect(status.executions).toMatchObject({ queued: 0, running: 0, timed_out: 0 })
      expect(status.capacity.freeCpuMillicores).toBeGreaterThan(0)
      expect(typeof status.scriptedModel).toBe('boolean')
      expect(await host.plane.node.doctor(forever)).toBeInstanceOf(Array)
    })
  })
}

const forever = new AbortController().signal

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  return Array.fromAsync(items)
}

/** The status that an execution ends in. */
async function waitFor(plane: ControlPlane, id: string): Promise<ExecutionStatus> {
  let last: VersionedEvent | undefined
  for await (const event of plane.executions.events(id, { follow: true }, forever)) last = event
  expect(last).toBeDefined()
  return (await plane.executions.find(id)).status
}
