import { expect, it } from 'vitest'
import { aManifest } from '../testing/a-manifest.ts'
import { deniedPath } from './lent-paths.ts'
import type { AgentPolicy } from './policy-engine.ts'

const manifest = aManifest('reader', { filesystem: { read: ['/srv/a'], write: ['/srv/b'] } })
const policyThat = (permits: (path: string) => boolean): AgentPolicy => ({
  decide: (request) => ({
    allow: 'path' in request && permits(request.path),
    policies: ['paths.cedar#1'],
    because: 'Not that one.',
  }),
})

it('lets a sandbox have the paths that the policy permits', () => {
  expect(
    deniedPath(
      policyThat(() => true),
      manifest,
    ),
  ).toBeUndefined()
})

it('names the path that it does not permit, with the reason', () => {
  const policy = policyThat((path) => path === '/srv/a')
  expect(deniedPath(policy, manifest)).toEqual({
    action: 'fs.write',
    subject: '/srv/b',
    reason: 'Not that one.',
    code: 'fs.forbidden',
    policies: ['paths.cedar#1'],
  })
})
