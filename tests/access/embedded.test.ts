import { auditControlPlane, type Clock } from '@aegis/core'
import { aManifest, makeRecordingTrail } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { openMemoryNode } from '../contract/control-plane-host.ts'

const clock: Clock = {
  now: () => '2026-11-22T15:00:00.000Z',
  monotonicMs: () => 0,
  sleep: async () => {},
}

async function openScene() {
  const node = await openMemoryNode()
  const audit = makeRecordingTrail()
  const plane = auditControlPlane(node.plane, { audit, clock })
  return { plane, audit, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
}

const forever = new AbortController().signal

describe('a command without a daemon', () => {
  it('is in the audit as a call of the owner, before it is answered', async () => {
    await using scene = await openScene()
    const { plane, audit } = scene
    await plane.agents.deploy(aManifest('echo'))
    expect(audit.entries).toEqual([
      {
        at: '2026-11-22T15:00:00.000Z',
        type: 'api.called',
        actor: 'local',
        data: {
          via: 'embedded',
          role: 'admin',
          action: 'api.agent.write',
          resource: 'echo',
          method: 'agents.deploy',
          outcome: 'done',
          ms: 0,
        },
      },
    ])
    const id = await plane.executions.execute('echo', 'hunter2')
    await Array.fromAsync(plane.executions.events(id, { follow: true }, forever))
    await expect(plane.agents.remove('nobody')).rejects.toMatchObject({ code: 'agent.absent' })
    await plane.tokens.create({ name: 'ci', role: 'viewer' })
    expect(
      audit.entries
        .slice(1)
        .map(({ executionId, data }) => [data.method, data.resource, executionId, data.outcome]),
    ).toEqual([
      ['executions.execute', 'echo', id, 'done'],
      ['executions.events', undefined, id, 'begun'],
      ['agents.remove', 'nobody', undefined, 'agent.absent'],
      ['tokens.create', 'ci', undefined, 'done'],
    ])
    expect(JSON.stringify(audit.entries)).not.toContain('hunter2')
  })

  it('fails when it cannot be recorded', async () => {
    await using scene = await openScene()
    const { plane, audit } = scene
    audit.failWith(new Error('disk full'))
    const failed = { kind: 'unavailable', code: 'audit.failed' }
    await expect(plane.agents.deploy(aManifest('echo'))).rejects.toMatchObject(failed)
    await expect(plane.agents.list()).rejects.toMatchObject(failed)
    const events = plane.agents.events('echo', {}, forever)
    await expect(Array.fromAsync(events)).rejects.toMatchObject(failed)
  })
})
