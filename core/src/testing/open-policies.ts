import type { AgentPolicy, PolicyDecision, PolicyEngine } from '../policy/policy-engine.ts'

const permitted: PolicyDecision = { allow: true, policies: ['test'], because: 'A test permits it.' }

/** Permits whatever an agent asks. */
export const openPolicy: AgentPolicy = { decide: () => permitted }

/** Permits whatever anybody asks. */
export const openPolicies: PolicyEngine = {
  forAgent: () => openPolicy,
  decideApi: () => permitted,
  decideTask: () => permitted,
  decideDeploy: () => permitted,
  list: () => [],
  state: { folder: '/policies', problems: [], closed: false, warnings: [] },
  review: () => ({ problems: [], warnings: [], policies: 0, refused: [] }),
}
