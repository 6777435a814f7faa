// Prints how long a process takes from an engine to its first decision, in milliseconds.
import { aManifest } from '@aegis/core/testing'
import { openPolicyEngine } from '@aegis/security'

const start = performance.now()
using engine = openPolicyEngine({
  folder: '/nonexistent',
  required: false,
  eager: true,
  security: { egress: { allow_public: false, reachable_ranges: [], resolvers: [], limits: {} } },
  logger: { info: () => undefined, error: () => undefined },
})
const opened = performance.now()
const manifest = aManifest('first', { network: { mode: 'allow', allowlist: ['a.example.com'] } })
const { decide } = engine.forAgent({ name: 'first', manifest })
decide({ action: 'network.connect', host: 'a.example.com', port: 443 })
const decided = performance.now()
console.log(JSON.stringify({ open: opened - start, first: decided - opened }))
