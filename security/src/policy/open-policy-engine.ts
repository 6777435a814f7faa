import type { PolicyEngine } from '@aegis/core'
import { type OperatorSourceOptions, openOperatorSource } from './operator-source.ts'
import { makePolicyEngine, type PolicyEngineDeps } from './policy-engine.ts'

export interface PolicyEngineOptions
  extends OperatorSourceOptions,
    Pick<PolicyEngineDeps, 'security'> {}

/**
 * The policies of a node: the operator's are followed as their files change. While those have an
 * error, the last good ones stay in force.
 * @throws AegisError `invalid` / `policies.invalid` with `eager`
 */
export function openPolicyEngine(options: PolicyEngineOptions): PolicyEngine & Disposable {
  return makePolicyEngine({ ...options, source: openOperatorSource(options) })
}
