import { authorization } from '@aegis/api'
import { apiActions, leastRole, roleMay, roles } from '@aegis/core'
import { aManifest, openPolicies } from '@aegis/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AccessScene, homeToken, openAccessScene } from './access-scene.ts'

const absentId = '00000000-0000-4000-8000-000000000000'
const sample = (path: string): string => path.replace(':id', absentId).replaceAll(/:\w+/g, 'nobody')

const routes = Object.entries(authorization)
const guarded = routes.flatMap(([route, access]) =>
  typeof access === 'object' ? [{ route, action: access.action }] : [],
)

describe('roles', () => {
  let scene: AccessScene
  beforeAll(async () => {
    scene = await openAccessScene()
  })
  afterAll(() => scene[Symbol.asyncDispose]())

  it.each(
    roles,
  )('%s may do on each route what its role permits, and nothing else', async (role) => {
    const token = await scene.token(role)
    for (const { route, action } of guarded) {
      for (const url of [sample(route), sample(route.replace(' /api/', ' /v1/'))]) {
        const { status, body } = await scene.ask(url, { token })
        if (roleMay(role, action)) {
          expect(status, url).not.toBe(401)
          expect(status, url).not.toBe(403)
          continue
        }
        expect({ url, status, body }).toMatchObject({
          url,
          status: 403,
          body: {
            kind: 'denied',
            code: 'access.role',
            detail: expect.stringContaining('aegis token create'),
            details: { action, role, needed_role: leastRole[action] },
          },
        })
      }
    }
  })

  it('let a viewer change nothing', async () => {
    const token = await scene.token('viewer')
    for (const { route } of guarded) {
      if (route.startsWith('GET ')) continue
      expect(await scene.ask(sample(route), { token }), route).toMatchObject({ status: 403 })
    }
  })

  it('have each action on some route', () => {
    const used = new Set(guarded.map(({ action }) => action))
    const unused = apiActions.filter((action) => !used.has(action))
    expect(unused).toEqual([])
  })

  it('tell whoever asks who he is and what that permits', async () => {
    const token = await scene.token('developer', { actions: ['api.task.*'] }, { lifetimeMs: null })
    expect(await scene.ask('GET /api/whoami', { token })).toMatchObject({
      status: 200,
      body: {
        role: 'developer',
        scope: { actions: ['api.task.*'] },
        expires_at: null,
        actions: ['api.task.read', 'api.task.execute', 'api.task.cancel'],
      },
    })
  })
})

describe('the policies of the operator', () => {
  it('are asked about each call, deploy and task, with who asks and which agent it is', async () => {
    const asked: string[] = []
    const permit = (what: string) => {
      asked.push(what)
      return { allow: true, policies: [], because: '' }
    }
    await using scene = await openAccessScene({
      policies: {
        ...openPolicies,
        decideApi: (actor, { action, resource }) =>
          permit(`${actor.name} ${actor.role} ${action} ${resource}`),
        decideDeploy: (actor, { name }) => permit(`${actor.name} deploys ${name}`),
        decideTask: (actor, { name }) => permit(`${actor.name} gives ${name} a task`),
      },
    })
    const token = await scene.token('developer', undefined, { name: 'dev' })
    await scene.ask('POST /api/agents', { token, body: aManifest('echo') })
    const { id } = await scene.node.plane.agents.find('echo')
    const started = await scene.ask(`POST /v1/agents/${id}/execute`, { token, body: { input: 1 } })
    await scene.ask(`POST /api/executions/${started.body.execution_id}/cancel`, { token })
    await scene.ask('GET /api/agents/nobody', { token })
    expect(asked).toEqual([
      'dev developer api.agent.write echo',
      'dev deploys echo',
      'dev developer api.task.execute echo',
      'dev gives echo a task',
      'dev developer api.task.cancel echo',
      'dev developer api.agent.read nobody',
    ])
  })

  it('refuse what a role would permit, with their reason', async () => {
    const night = { allow: false, policies: ['night'], because: 'Not at night.' }
    await using scene = await openAccessScene({
      policies: { ...openPolicies, decideApi: () => night },
    })
    expect(await scene.ask('GET /api/agents', { token: homeToken })).toMatchObject({
      status: 403,
      body: {
        code: 'policy.denied',
        detail: 'Not at night.',
        details: { action: 'api.agent.read', role: 'admin', policies: ['night'] },
      },
    })
  })
})

describe('scopes', () => {
  it('narrow a role to some actions', async () => {
    await using scene = await openAccessScene()
    await scene.node.plane.agents.deploy(aManifest('echo'))
    const token = await scene.token('admin', { actions: ['api.task.*', 'api.agent.read'] })
    expect(await scene.ask('GET /api/agents', { token })).toMatchObject({ status: 200 })
    const execute = { token, body: { input: 'hi' } }
    expect(await scene.ask('POST /api/agents/echo/execute', execute)).toMatchObject({ status: 200 })
    for (const route of ['GET /api/node', 'DELETE /api/agents/echo', 'POST /api/tokens']) {
      expect(await scene.ask(route, { token })).toMatchObject({
        status: 403,
        body: { code: 'access.scope', detail: expect.stringContaining('--scope') },
      })
    }
  })

  it('narrow a token to some agents, however they are named', async () => {
    await using scene = await openAccessScene()
    const { agents, executions } = scene.node.plane
    const { id: mineId } = await agents.deploy(aManifest('mine'))
    const { id: otherId } = await agents.deploy(aManifest('other'))
    const mine = await executions.execute('mine', 'hi')
    const other = await executions.execute('other', 'hi')
    const token = await scene.token('operator', { agents: ['mine', 'later'] })

    const permitted = [
      'GET /api/agents/mine',
      `GET /api/agents/${mineId}`,
      'GET /api/agents/lookup/mine',
      `GET /api/executions/${mine}`,
      `GET /api/executions/${mine}/events`,
      `GET /api/executions?agent_id=${mineId}`,
      'POST /v1/agents/mine/pause',
      'GET /api/node',
    ]
    for (const route of permitted) {
      expect(await scene.ask(route, { token }), route).toMatchObject({ status: 200 })
    }
    const refused = [
      'GET /api/agents/other',
      `GET /api/agents/${otherId}`,
      `GET /v1/agents/${otherId}/summary`,
      'GET /api/agents/lookup/other',
      `GET /api/agents/${otherId}/events`,
      'POST /api/agents/other/pause',
      'POST /api/agents/other/execute',
      `DELETE /api/agents/${otherId}`,
      `GET /api/executions/${other}`,
      `GET /api/executions/${other}/events`,
      `POST /api/executions/${other}/cancel`,
      `DELETE /api/executions/${other}`,
      `GET /api/executions?agent_id=${otherId}`,
      'POST /api/images/prune',
      'GET /api/tokens',
    ]
    for (const route of refused) {
      expect(await scene.ask(route, { token }), route).toMatchObject({
        status: 403,
        body: { code: 'access.agent' },
      })
    }
    expect(await agents.find('other')).toMatchObject({ status: 'active' })
  })

  it('do not tell an agent or execution of others from one that is not there', async () => {
    await using scene = await openAccessScene()
    const { agents, executions } = scene.node.plane
    const { id } = await agents.deploy(aManifest('other'))
    const execution = await executions.execute('other', 'hi')
    const token = await scene.token('operator', { agents: ['mine'] })
    const pairs = [
      ['GET /api/agents/other', 'GET /api/agents/absent'],
      [`GET /api/agents/${id}`, `GET /api/agents/${absentId}`],
      [`DELETE /api/agents/other`, `DELETE /api/agents/absent`],
      [`GET /api/executions/${execution}`, `GET /api/executions/${absentId}`],
      [`POST /api/executions/${execution}/cancel`, `POST /api/executions/${absentId}/cancel`],
      [`GET /api/executions?agent_id=other`, `GET /api/executions?agent_id=absent`],
    ]
    for (const [there = '', absent = ''] of pairs) {
      const one = await scene.ask(there, { token })
      const two = await scene.ask(absent, { token })
      expect(one.status).toBe(403)
      expect([one.status, one.body]).toEqual([two.status, two.body])
    }
  })

  it('cut lists down to the agents of the token', async () => {
    await using scene = await openAccessScene()
    const { agents, executions } = scene.node.plane
    for (const name of ['mine', 'other', 'third']) await agents.deploy(aManifest(name))
    const ids: string[] = []
    for (const name of ['mine', 'other', 'mine', 'third']) {
      ids.push(await executions.execute(name, 'hi'))
    }
    const token = await scene.token('viewer', { agents: ['mine', 'third', 'later'] })
    const names = (body: readonly { readonly name: string }[]) => body.map(({ name }) => name)
    expect(names((await scene.ask('GET /api/agents', { token })).body)).toEqual(['mine', 'third'])
    const shown = async (query: string) =>
      (await scene.ask(`GET /api/executions${query}`, { token })).body.map(
        ({ id }: { readonly id: string }) => id,
      )
    expect((await shown('')).toSorted()).toEqual([ids[0], ids[2], ids[3]].toSorted())
    expect(await shown('?limit=1')).toHaveLength(1)
    const sandboxes = await scene.ask('GET /api/sandboxes', { token })
    expect(sandboxes.status).toBe(200)
    for (const { agent_name } of sandboxes.body) expect(['mine', 'third']).toContain(agent_name)
  })

  it('let a token deploy its own agents and no others', async () => {
    await using scene = await openAccessScene()
    const token = await scene.token('developer', { agents: ['mine'] })
    const deploy = (name: string) => scene.ask('POST /api/agents', { token, body: aManifest(name) })
    expect(await deploy('mine')).toMatchObject({ status: 200 })
    expect(await deploy('other')).toMatchObject({ status: 403, body: { code: 'access.agent' } })
    await expect(scene.node.plane.agents.find('other')).rejects.toMatchObject({ kind: 'not-found' })
  })
})
