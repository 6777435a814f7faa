import type { Clock, LlmModelConfig, LlmProviderConfig, Logger, Secret } from '@aegis/core'
import { demoRules } from '../scripted/demo-rules.ts'
import { makeScriptedProvider } from '../scripted/scripted-provider.ts'
import type { Provider } from './provider.ts'

export interface OpenProvidersOptions {
  readonly configs: readonly LlmProviderConfig[]
  /** Longest wait for the first byte, and between two. */
  readonly timeoutMs: number
  readonly secret: (reference: string) => Secret | undefined
  readonly readText: (path: string) => string
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Opens what is enabled. Where nothing is configured at all, the scripted provider answers, so that
 * a fresh node works; where something is, but cannot be used, nothing stands in for it.
 */
export function openProviders(options: OpenProvidersOptions): readonly Provider[] {
  const { clock } = options
  const enabled = options.configs.filter((config) => config.enabled)
  if (enabled.length === 0) {
    return [
      makeScriptedProvider({ name: 'scripted', models: offlineModels, rules: demoRules, clock }),
    ]
  }
  return enabled.flatMap((config) => {
    const provider = openProvider(config, options)
    return provider === undefined ? [] : [provider]
  })
}

const offlineModels: readonly LlmModelConfig[] = ['default', 'fast', 'smart'].map((alias) => ({
  alias,
  model: 'scripted',
  capabilities: ['chat', 'embeddings'],
  context_window: 32_768,
  cost_per_1k_tokens: 0,
}))

function openProvider(
  config: LlmProviderConfig,
  { clock }: OpenProvidersOptions,
): Provider | undefined {
  const { name, models } = config
  return makeScriptedProvider({ name, models, rules: demoRules, clock })
}
