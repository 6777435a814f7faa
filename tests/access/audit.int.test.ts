import { setImmediate as turn } from 'node:timers/promises'
import { authorization } from '@aegis/api'
import { aManifest, openPolicies } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { homeToken, openAccessScene } from './access-scene.ts'

const absentId = '00000000-0000-4000-8000-000000000000'

describe('the audit of the API', () => {
  it('has who did what to whom, from where, and how it ended', async () => {
    await using scene = await openAccessScene()
    const { agents, executions } = scene.node.plane
    const { id } = await agents.deploy(aManifest('echo'))
    const execution = await executions.execute('echo', 'hi')
    const token = await scene.token('operator', undefined, { name: 'ci' })
    const before = scene.audit.entries.length
    await scene.ask(`POST /v1/agents/${id}/pause`, { token, body: { reason: 'hunter2' } })
    await scene.ask(`GET /api/executions/${execution}?secret=hunter2`, { token })
    await scene.ask(`GET /api/executions/${execution}`, { token })
    await scene.audit.recorded(before + 3)
    const [tokenId] = (await scene.node.plane.tokens.list()).map((one) => one.id)
    const common = { via: 'http', role: 'operator', token_id: tokenId, address: '127.0.0.1' }
    const number = expect.any(Number)
    expect(scene.audit.entries.slice(before)).toEqual([
      {
        at: expect.stringMatching(/^20.*Z$/),
        type: 'api.called',
        actor: 'ci',
        agentId: id,
        data: {
          ...common,
          action: 'api.agent.write',
          resource: 'echo',
          method: 'POST',
          route: '/v1/agents/:ref/pause',
          status: 200,
          ms: number,
          request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
      },
      expect.objectContaining({ data: expect.objectContaining({ status: 400 }) }),
      expect.objectContaining({
        actor: 'ci',
        executionId: execution,
        data: expect.objectContaining({
          action: 'api.task.read',
          resource: 'echo',
          method: 'GET',
          route: '/api/executions/:id',
          status: 200,
        }),
      }),
    ])
    expect(JSON.stringify(scene.audit.entries)).not.toContain('hunter2')
  })

  it('names the execution that a call made', async () => {
    await using scene = await openAccessScene()
    await scene.node.plane.agents.deploy(aManifest('echo'))
    const execute = { token: homeToken, body: { input: 'hi' } }
    const { body } = await scene.ask('POST /api/agents/echo/execute', execute)
    expect(scene.audit.entries.at(-1)).toMatchObject({
      actor: 'local',
      executionId: body.execution_id,
      data: { action: 'api.task.execute', resource: 'echo' },
    })
  })

  it('has every route but the open ones', async () => {
    await using scene = await openAccessScene()
    for (const [route, access] of Object.entries(authorization)) {
      const before = scene.audit.entries.length
      const url = route.replace(':id', absentId).replaceAll(/:\w+/g, 'nobody')
      await scene.ask(url, { token: homeToken })
      if (access === 'open') {
        await turn()
        expect(scene.audit.entries.length, route).toBe(before)
        continue
      }
      await scene.audit.recorded(before + 1)
      expect(scene.audit.entries.at(-1), route).toMatchObject({
        type: 'api.called',
        actor: 'local',
        data: {
          route: route.split(' ')[1],
          ...(typeof access === 'object' && { action: access.action }),
        },
      })
    }
  })

  it('has those who are turned away, and why', async () => {
    const denyAll = {
      ...openPolicies,
      decideApi: () => ({ allow: false, policies: ['night'], because: 'Not at night.' }),
    }
    await using scene = await openAccessScene({ policies: denyAll })
    const token = await scene.token('viewer', undefined, { name: 'ci' })
    const last = async (route: string, ask: Parameters<typeof scene.ask>[1], status: number) => {
      const before = scene.audit.entries.length
      expect(await scene.ask(route, ask)).toMatchObject({ status })
      await scene.audit.recorded(before + 1)
      await scene.nextSecond()
      return scene.audit.entries.at(-1)
    }
    const called = 'api.called'
    expect(await last('DELETE /api/agents/echo', { token }, 403)).toMatchObject({
      type: called,
      actor: 'ci',
      data: { status: 403, action: 'api.agent.write', role: 'viewer' },
    })
    expect(await last('GET /api/agents/echo', { token }, 403)).toMatchObject({
      actor: 'ci',
      data: { status: 403, action: 'api.agent.read', resource: 'echo' },
    })
    expect(await last('GET /api/agents', {}, 401)).toMatchObject({
      type: called,
      data: { status: 401, refused: 'absent' },
    })
    const foreign = { token, headers: { origin: 'https://evil.example' } }
    expect(await last('GET /api/agents', foreign, 403)).toMatchObject({
      type: called,
      data: { status: 403 },
    })
    expect(await last('GET /nowhere', {}, 401)).toMatchObject({ data: { route: 'unknown' } })
  })

  it('counts those of an address that come too often, without losing one', async () => {
    await using scene = await openAccessScene()
    await Promise.all(Array.from({ length: 40 }, () => scene.ask('GET /api/agents')))
    await turn()
    expect(scene.audit.entries.filter(({ type }) => type === 'api.called')).toHaveLength(5)
    await scene.nextSecond()
    await scene.audit.recorded(6)
    expect(scene.audit.entries.at(-1)).toMatchObject({
      type: 'api.refused',
      data: { address: '127.0.0.1', count: 35 },
    })
    await scene.ask('GET /api/agents')
    await scene.audit.recorded(7)
    expect(scene.audit.entries.at(-1)).toMatchObject({ type: 'api.called', data: { status: 401 } })
  })

  it('counts the last ones when the API closes', async () => {
    const scene = await openAccessScene()
    await Promise.all(Array.from({ length: 9 }, () => scene.ask('GET /api/agents')))
    await scene[Symbol.asyncDispose]()
    expect(scene.audit.entries.at(-1)).toMatchObject({ type: 'api.refused', data: { count: 4 } })
  })

  it('is written before a change is answered, and without it the answer is an error', async () => {
    await using scene = await openAccessScene()
    await scene.node.plane.agents.deploy(aManifest('echo'))
    const answer = await scene.ask('POST /api/agents/echo/pause', { token: homeToken })
    expect(answer.status).toBe(200)
    expect(scene.audit.entries.at(-1)).toMatchObject({ data: { resource: 'echo', status: 200 } })

    scene.audit.failWith(new Error('disk full'))
    const refused = { status: 503, body: { code: 'audit.failed' } }
    const resume = await scene.ask('POST /api/agents/echo/resume', { token: homeToken })
    expect(resume).toMatchObject(refused)
    expect(resume.body.detail).toContain('before you repeat it')
    const stream = {
      token: homeToken,
      body: aManifest('two'),
      headers: { accept: 'text/event-stream' },
    }
    expect(await scene.ask('POST /api/agents', stream)).toMatchObject(refused)
    const absent = await scene.ask('DELETE /api/agents/nobody', { token: homeToken })
    expect(absent).toMatchObject(refused)
    expect(scene.complaints.length).toBeGreaterThan(0)
  })

  it('serves nothing any more once it is a thousand calls behind', async () => {
    await using scene = await openAccessScene()
    const held = Promise.withResolvers<void>()
    const record = scene.audit.record
    scene.audit.record = async (entries) => {
      await held.promise
      await record(entries)
    }
    const batches = Array.from({ length: 10 }, () => Array.from({ length: 100 }))
    for (const batch of batches) {
      await Promise.all(batch.map(() => scene.ask('GET /api/whoami', { token: homeToken })))
    }
    const behind = { status: 503, body: { code: 'audit.behind' } }
    expect(await scene.ask('GET /api/agents', { token: homeToken })).toMatchObject(behind)
    expect(await scene.ask('GET /health')).toMatchObject({ status: 200 })
    held.resolve()
    await scene.audit.recorded(1000)
    expect(await scene.ask('GET /api/agents', { token: homeToken })).toMatchObject({ status: 200 })
  })
})
