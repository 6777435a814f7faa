import type { DeployRequest, SandboxRuntime, TaskRequest } from '@aegis/core'
import { aManifest, openPolicies } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { openScene } from './domain-scene.ts'

describe('deploying', () => {
  it('gives a name one id, at every deploy', async () => {
    const { plane } = await openScene()
    const first = await plane.agents.deploy(aManifest('echo'))
    const again = await plane.agents.deploy(aManifest('echo'))
    expect(first).toMatchObject({ revision: 1, changed: true })
    expect(again).toEqual({ ...first, changed: false })
  })

  it('lets one of two deploys at the same moment win, and tells the other', async () => {
    const { plane } = await openScene()
    const results = await Promise.allSettled([
      plane.agents.deploy(aManifest('echo')),
      plane.agents.deploy(aManifest('echo', { version: '2.0.0' })),
    ])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  it('keeps the manifests of earlier revisions', async () => {
    const { plane } = await openScene()
    await plane.agents.deploy(aManifest('echo'))
    await plane.agents.deploy(aManifest('echo', { version: '2.0.0' }), { replace: true })
    expect((await plane.agents.manifest('echo', 1)).metadata.version).toBe('1.0.0')
    expect((await plane.agents.manifest('echo')).metadata.version).toBe('2.0.0')
    await expect(plane.agents.manifest('echo', 3)).rejects.toThrow('it has 1 to 2')
  })

  it.each([
    ['a runtime that is not there', { runtime: { isolation: 'firecracker' } }, 'no firecracker'],
    ['neither prompt nor command', { task: { prompt_template: undefined } }, 'prompt_template'],
    ['a template that does not compile', { task: { prompt_template: '{{#if}' } }, 'template'],
    ['a language without a bootstrap', { runtime: { language: 'cobol' } }, 'cobol'],
    ['a host path that is not shared', { filesystem: { read: ['/etc'] } }, 'host_paths.read'],
    [
      'writing where reading is shared',
      { filesystem: { write: ['/srv/data'] } },
      'host_paths.write',
    ],
    [
      'a context only the client can read',
      { context: [{ type: 'file', path: 'a.txt' }] },
      'spec.context[0]',
    ],
  ] as const)('refuses %s, with the reason', async (_case, changes, reason) => {
    const { plane } = await openScene()
    await expect(plane.agents.deploy(aManifest('echo', changes))).rejects.toThrow(reason)
    expect(await plane.agents.list()).toEqual([])
  })

  it('asks the policies with what it would run the agent with, and is refused in their words', async () => {
    const asked: DeployRequest[] = []
    const policies = {
      ...openPolicies,
      decideDeploy: (_: unknown, { name }: { readonly name: string }, deploy: DeployRequest) => {
        asked.push(deploy)
        const because = `ceiling.cedar#1 forbids ${name}.`
        return { allow: name !== 'greedy', policies: ['ceiling.cedar#1'], because }
      },
    }
    const { plane } = await openScene({ policies })
    await plane.agents.deploy(aManifest('echo'))
    await expect(plane.agents.deploy(aManifest('greedy'))).rejects.toMatchObject({
      kind: 'denied',
      code: 'policy.denied',
      message: 'ceiling.cedar#1 forbids greedy.',
      details: { policies: ['ceiling.cedar#1'] },
    })
    expect(asked).toEqual([{ isolation: 'process' }, { isolation: 'process' }])
    expect((await plane.agents.list()).map(({ name }) => name)).toEqual(['echo'])
  })

  it('does not mean that tasks may run: they are asked about by themselves', async () => {
    const policies = {
      ...openPolicies,
      decideTask: (_: unknown, __: unknown, { priority }: TaskRequest) => ({
        allow: priority <= 0,
        policies: ['ceiling.cedar#2'],
        because: 'ceiling.cedar#2 forbids priorities.',
      }),
    }
    const { plane } = await openScene({ policies })
    await plane.agents.deploy(aManifest('echo'))
    await expect(plane.executions.execute('echo', '', { priority: 1 })).rejects.toMatchObject({
      code: 'policy.denied',
      message: 'ceiling.cedar#2 forbids priorities.',
    })
    expect(await plane.executions.list({})).toEqual([])
    await plane.executions.execute('echo', '')
  })

  it('accepts a host path that the operator shares', async () => {
    const { plane } = await openScene()
    const manifest = aManifest('echo', { filesystem: { read: ['/srv/data/set', '/workspace'] } })
    await expect(plane.agents.deploy(manifest)).resolves.toMatchObject({ changed: true })
  })
})

describe('a path below one that agents may write', () => {
  const hostPaths = { read: ['/srv/w/own'], write: ['/srv/w'] }
  const disguise = (lendsByName: boolean) => (runtime: SandboxRuntime) => ({
    ...runtime,
    capabilities: async (signal: AbortSignal) => ({
      ...(await runtime.capabilities(signal)),
      lendsByName,
    }),
  })

  it.each([
    { read: ['/srv/w/x'] },
    { read: ['/srv/w/own'] },
    { write: ['/srv/w/x/y'] },
  ])('is not lent where it is mounted by name: %j', async (filesystem) => {
    const { plane } = await openScene({ hostPaths, disguise: disguise(true) })
    await expect(plane.agents.deploy(aManifest('echo', { filesystem }))).rejects.toMatchObject({
      kind: 'denied',
      code: 'filesystem.swappable',
      message: expect.stringContaining('without /srv/w in host_paths.write'),
    })
    await plane.agents.deploy(aManifest('echo', { filesystem: { write: ['/srv/w', '/tmp/x'] } }))
  })

  it('is lent where what was checked is what is mounted', async () => {
    const { plane } = await openScene({ hostPaths, disguise: disguise(false) })
    const manifest = aManifest('echo', {
      filesystem: { read: ['/srv/w/own'], write: ['/srv/w/x'] },
    })
    await expect(plane.agents.deploy(manifest)).resolves.toMatchObject({ changed: true })
  })
})

describe('a paused agent', () => {
  it('takes no new tasks, and takes them again when resumed', async () => {
    const { plane, finished } = await openScene()
    await plane.agents.deploy(aManifest('echo'))
    await plane.agents.pause('echo', 'budget')
    await expect(plane.executions.execute('echo', 'x')).rejects.toThrow('agent resume')
    await plane.agents.resume('echo')
    const id = await plane.executions.execute('echo', 'x')
    expect((await finished(id)).at(-1)?.type).toBe('execution.completed')
  })
})

describe('an agent that is removed', () => {
  it('is unknown by name and by id afterwards', async () => {
    const { plane } = await openScene()
    const { id } = await plane.agents.deploy(aManifest('echo'))
    await plane.agents.remove('echo')
    await expect(plane.agents.find('echo')).rejects.toThrow('agent deploy')
    await expect(plane.agents.find(id)).rejects.toThrow('agent deploy')
  })
})

describe('a removed agent with a long queue', () => {
  it('leaves nothing waiting, however long it was', async () => {
    const { plane, node } = await openScene({ runs: 'own' })
    await node.stop()
    await plane.agents.deploy(aManifest('echo'))
    for (let n = 0; n < 1001; n += 1) await plane.executions.execute('echo', n)
    await plane.agents.remove('echo')
    expect((await plane.node.status()).executions).toMatchObject({ queued: 0, cancelled: 1001 })
  })
})

describe('executing', () => {
  it('refuses an agent that is larger than the node', async () => {
    const { plane } = await openScene({ cpuMillicores: 100 })
    await plane.agents.deploy(aManifest('echo'))
    await expect(plane.executions.execute('echo', 'x')).rejects.toThrow('the node has 100')
  })
})
