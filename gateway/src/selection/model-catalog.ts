import { AegisError, type LlmModelConfig, type LlmSelectionConfig } from '@aegis/core'
import type { Provider } from '../providers/provider.ts'
import type { LatencyRecord } from './latency-record.ts'

/** A model of a provider that may answer a request. */
export interface Candidate {
  readonly provider: Provider
  readonly model: LlmModelConfig
}

/** Which models there are, by alias and by their providers' own names. */
export interface ModelCatalog {
  readonly all: readonly Candidate[]
  /**
   * Who may answer a request for `name` (alias, model, or `provider/model`), best first.
   * @throws AegisError `not-found` / `llm.model-not-found` naming what is there
   */
  candidates(name: string): readonly Candidate[]
  /** Who is asked once when all candidates failed. */
  fallback(name: string): Candidate | undefined
}

export interface ModelCatalogDeps {
  readonly providers: readonly Provider[]
  readonly selection: LlmSelectionConfig
  readonly latency: LatencyRecord
}

export function makeModelCatalog({
  providers,
  selection,
  latency,
}: ModelCatalogDeps): ModelCatalog {
  const { strategy, default_provider, fallback_provider } = selection
  const all = providers.flatMap((provider) =>
    provider.models.map((model): Candidate => ({ provider, model })),
  )
  const byDefault = (a: Candidate, b: Candidate): number =>
    rank(b.provider.name === default_provider) - rank(a.provider.name === default_provider)
  const byStrategy = order(strategy, latency)

  function named(name: string): readonly Candidate[] {
    const plain = name.replace(/:latest$/, '')
    const aliases = all.filter(({ model }) => model.alias === name || model.alias === plain)
    if (aliases.length > 0) return aliases
    return all.filter(
      ({ provider, model }) =>
        model.model === name ||
        model.model === plain ||
        model.model === `${name}:latest` ||
        `${provider.name}/${model.model}` === name ||
        `${provider.name}/${model.alias}` === name,
    )
  }

  return {
    all,
    candidates(name) {
      const found = named(name)
      // Array.sort is stable: what is equal keeps the order of the node config.
      if (found.length > 0) return found.toSorted((a, b) => byStrategy(a, b) || byDefault(a, b))
      const first = name === 'default' ? all.toSorted(byDefault)[0] : undefined
      if (first !== undefined) return [first]
      throw new AegisError('not-found', 'llm.model-not-found', unknownModel(name, all))
    },
    fallback(name) {
      const own = all.filter(({ provider }) => provider.name === fallback_provider)
      return own.find(({ model }) => model.alias === name || model.model === name) ?? own[0]
    },
  }
}

function order(
  strategy: LlmSelectionConfig['strategy'],
  latency: LatencyRecord,
): (a: Candidate, b: Candidate) => number {
  switch (strategy) {
    case 'prefer-local':
      return (a, b) => rank(b.provider.local) - rank(a.provider.local)
    case 'prefer-cloud':
      return (a, b) => rank(a.provider.local) - rank(b.provider.local)
    case 'cost-optimized':
      return (a, b) => a.model.cost_per_1k_tokens - b.model.cost_per_1k_tokens
    case 'latency-optimized':
      // One that was never measured goes first, and then it is measured.
      return (a, b) => (latency.meanMs(a) ?? 0) - (latency.meanMs(b) ?? 0)
  }
}

const rank = (yes: boolean): number => (yes ? 1 : 0)

function unknownModel(name: string, all: readonly Candidate[]): string {
  const shown = name.length <= 80 ? name : `${name.slice(0, 80)}…`
  if (all.length === 0) {
    return (
      `No model "${shown}": no LLM provider is usable. Enable one under llm_providers in the node ` +
      'config and see that its api_key is set; the log of the AEGIS daemon names those it skipped.'
    )
  }
  const aliases = [...new Set(all.map(({ model }) => model.alias))].sort()
  return (
    `No model "${shown}". Aliases of this node: ${aliases.join(', ')}. ` +
    "Name one of these, or add a model with this alias to a provider's models in the node config."
  )
}
