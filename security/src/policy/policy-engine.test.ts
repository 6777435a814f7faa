import { aManifest } from '@aegis/core/testing'
import { expect, it } from 'vitest'
import { anEngine } from './testing/an-engine.ts'

const connect = (host: string, port = 443) => ({ action: 'network.connect', host, port }) as const

it('permits what an entry of the allowlist names, and says which', () => {
  using engine = anEngine()
  const manifest = aManifest('coder', {
    network: { mode: 'allow', allowlist: ['a.example.com', 'db.example.com:5432'] },
  })
  const policy = engine.forAgent({ name: 'coder', manifest })
  expect(policy.decide(connect('a.example.com'))).toEqual({
    allow: true,
    policies: ['agent/coder/network.allowlist[0]'],
    because: 'agent/coder/network.allowlist[0] permits a.example.com:443.',
  })
  expect(policy.decide(connect('db.example.com', 5432)).policies).toEqual([
    'agent/coder/network.allowlist[1]',
  ])
})

it('refuses all else with the entry to add', () => {
  using engine = anEngine()
  const manifest = aManifest('coder', { network: { mode: 'allow', allowlist: ['a.example.com'] } })
  const policy = engine.forAgent({ name: 'coder', manifest })
  expect(policy.decide(connect('db.example.com', 5432))).toEqual({
    allow: false,
    policies: [],
    because:
      'No rule of the manifest permits db.example.com:5432. Add db.example.com:5432 to spec.security.network.allowlist.',
  })
})
