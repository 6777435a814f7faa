import type { PolicyDecision, PolicyEngine } from '@aegis/core'

const denied: PolicyDecision = {
  allow: false,
  policies: [],
  because: 'This node has no policy engine.',
}

const permitted: PolicyDecision = { ...denied, allow: true }

/** Permits models and what needs no policy, and no connection: until a node has an engine. */
export const closedPolicies: PolicyEngine = {
  forAgent: () => ({
    decide: ({ action }) => (action === 'llm.generate' ? permitted : denied),
  }),
  decideApi: () => permitted,
  decideTask: () => permitted,
  decideDeploy: () => permitted,
  list: () => [],
}
