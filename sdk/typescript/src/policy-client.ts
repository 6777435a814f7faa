import type { PolicyControl } from '@aegis/core'
import {
  policyExplanation,
  policyExplanationFromWire,
  policyList,
  policyListFromWire,
  policyReview,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { agentRef as checkedRef } from './paths.ts'

export function makePolicyClient(transport: HttpTransport): PolicyControl {
  return {
    async list({ agentRef } = {}) {
      const query = { agent: agentRef === undefined ? undefined : checkedRef(agentRef) }
      const call = { method: 'GET', path: '/policies', query } as const
      return policyListFromWire(await transport.call(call, policyList))
    },
    async explain(agentRef, request) {
      const body = { agent: checkedRef(agentRef), request }
      const call = { method: 'POST', path: '/policies/explain', body } as const
      return policyExplanationFromWire(await transport.call(call, policyExplanation))
    },
    async check(files, { againstAgents = false } = {}) {
      const body = { files, against_agents: againstAgents }
      const call = { method: 'POST', path: '/policies/check', body } as const
      return transport.call(call, policyReview)
    },
  }
}
