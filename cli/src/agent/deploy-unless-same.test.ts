import { AegisError, type AgentId, type DeployOptions, type DeployResult } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { expect, it } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { deployUnlessSame } from './deploy-unless-same.ts'

/** A node whose answer to a deploy without `replace` is `first`. */
function setUp(first: DeployResult | AegisError) {
  const asked: (boolean | undefined)[] = []
  const agents = {
    deploy: async (_: unknown, { replace }: DeployOptions = {}) => {
      asked.push(replace)
      if (replace) return result(2, true)
      if (first instanceof AegisError) throw first
      return first
    },
  }
  const { context } = fakeContext(undefined)
  return { asked, deploy: () => deployUnlessSame(context, agents, aManifest('echo')) }
}

const result = (revision: number, changed: boolean): DeployResult => ({
  id: '1b8f6a1e-3c5d-4e7f-8a9b-0c1d2e3f4a5b' as AgentId,
  revision,
  changed,
  warnings: [],
})

it('leaves an unchanged manifest its revision, and so its image', async () => {
  const { asked, deploy } = setUp(result(1, false))
  expect(await deploy()).toEqual(result(1, false))
  expect(asked).toEqual([false])
})

it('replaces another manifest under its name', async () => {
  const { asked, deploy } = setUp(new AegisError('conflict', 'agent.exists', 'Another one.'))
  expect(await deploy()).toEqual(result(2, true))
  expect(asked).toEqual([false, true])
})

it('replaces nothing after any other error', async () => {
  const changed = new AegisError('conflict', 'image.changed', 'The image is gone.')
  const { asked, deploy } = setUp(changed)
  await expect(deploy()).rejects.toBe(changed)
  expect(asked).toEqual([false])
})
