import { AegisError, type PolicyDecision } from '@aegis/core'
import type { Candidate, ModelCatalog } from '../selection/model-catalog.ts'
import type { AgentRequest } from './agent-request.ts'

/** Who may answer a request, as far as the agent's policy permits their models. */
export interface PermittedModels {
  /** Best first; at least one. */
  readonly candidates: readonly Candidate[]
  readonly fallback: Candidate | undefined
}

/**
 * Asks the policy about the models that `name` stands for. They are asked about by alias, whichever
 * way the agent wrote them: a model that is forbidden is so by each of its names.
 * @throws AegisError `not-found` · `denied` / `llm.denied` (recorded) when none is permitted
 */
export function permittedModels(
  catalog: ModelCatalog,
  { identity, deny }: Pick<AgentRequest, 'identity' | 'deny'>,
  name: string,
): PermittedModels {
  const decide = ({ model }: Candidate): PolicyDecision =>
    identity.policy.decide({ action: 'llm.generate', model: model.alias })
  const named = catalog.candidates(name)
  const candidates = named.filter((candidate) => decide(candidate).allow)
  const fallback = catalog.fallback(name)
  const [first] = named
  if (candidates.length === 0 && first !== undefined) {
    const { because: reason, policies } = decide(first)
    const code = 'llm.denied'
    deny({ action: 'llm.generate', subject: first.model.alias, reason, code, policies })
    throw new AegisError('denied', code, reason)
  }
  return {
    candidates,
    fallback: fallback !== undefined && decide(fallback).allow ? fallback : undefined,
  }
}
