import { formatYaml } from '../kernel/format-yaml.ts'
import type { LlmProviderConfig, NodeConfig } from './node-config.ts'

/** The config as YAML in its canonical form: parsing it gives the same config. Shows keys. */
export const formatNodeConfig = (config: NodeConfig): string => formatYaml(config)

/** The config with each literal `api_key` shown as `[secret]`; names of variables stay. */
export const redactNodeConfig = (config: NodeConfig): NodeConfig => ({
  ...config,
  spec: { ...config.spec, llm_providers: config.spec.llm_providers.map(withoutKey) },
})

function withoutKey(provider: LlmProviderConfig): LlmProviderConfig {
  const { api_key: key } = provider
  if (key === undefined || key.startsWith('env:')) return provider
  return { ...provider, api_key: '[secret]' }
}
