import { expect, it } from 'vitest'
import { aManifest } from '../testing/a-manifest.ts'
import { completeManifest } from './complete-manifest.ts'

it('gives a manifest of an older AEGIS what it could not say: nothing', () => {
  const today = aManifest('echo')
  const old = JSON.parse(JSON.stringify(today))
  delete old.spec.secrets
  for (const key of ['http', 'opaque', 'limits']) delete old.spec.security.network[key]
  expect(completeManifest(old)).toEqual(today)
})

it('leaves what a manifest says as it is', () => {
  const manifest = aManifest('echo', {
    network: { mode: 'allow', http: [{ host: 'a.com', methods: ['GET'] }], opaque: ['b.com'] },
    secrets: { TOKEN: 'github' },
  })
  expect(completeManifest(manifest)).toEqual(manifest)
})
