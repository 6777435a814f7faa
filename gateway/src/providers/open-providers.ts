import {
  AegisError,
  type Clock,
  type LlmModelConfig,
  type LlmProviderConfig,
  type Logger,
  Secret,
} from '@aegis/core'
import { anthropicProviderDialect } from '../dialects/anthropic-provider-dialect.ts'
import { ollamaProviderDialect } from '../dialects/ollama-provider-dialect.ts'
import { makeOpenAiProviderDialect } from '../dialects/openai-provider-dialect.ts'
import type { ProviderDialect } from '../dialects/provider-dialect.ts'
import { demoRules } from '../scripted/demo-rules.ts'
import { parseRules } from '../scripted/parse-rules.ts'
import { makeScriptedProvider } from '../scripted/scripted-provider.ts'
import { openHttpProvider } from './http-provider.ts'
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
 * Opens what is enabled. Where nothing is enabled at all, the scripted provider answers, so that a
 * fresh node works; where something is, but cannot be used, nothing stands in for it.
 */
export function openProviders(options: OpenProvidersOptions): readonly Provider[] {
  const { clock, logger } = options
  const enabled = options.configs.filter((config) => config.enabled)
  if (enabled.length === 0) {
    logger.warn({}, 'no LLM provider is configured: the offline scripted provider answers')
    return [
      makeScriptedProvider({ name: 'scripted', models: offlineModels, rules: demoRules, clock }),
    ]
  }
  return enabled.flatMap((config) => {
    const provider =
      config.type === 'scripted' ? openScripted(config, options) : openRemote(config, options)
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

function openScripted(
  { name, models, rules: path }: LlmProviderConfig,
  { clock, logger, readText }: OpenProvidersOptions,
): Provider {
  const rules = path === undefined ? demoRules : parseRules(readText(path), { path, logger })
  return makeScriptedProvider({ name, models, rules, clock })
}

function openRemote(
  config: LlmProviderConfig,
  { secret, timeoutMs, clock, logger }: OpenProvidersOptions,
): Provider | undefined {
  const { name, api_key } = config
  const found = api_key?.startsWith('env:') ? secret(api_key) : wrap(api_key)
  const key = wrap(found?.reveal().trim())
  if (api_key !== undefined && (key === undefined || !isHeaderValue(key))) {
    const reason = key === undefined ? 'its api_key is not set' : 'its api_key is not one word'
    logger.warn({ provider: name, reason }, 'LLM provider left out')
    return undefined
  }
  const dialect = dialectOf(config)
  const endpoint = endpointOf(config)
  const local = config.type === 'ollama' || isLoopback(endpoint.hostname)
  return openHttpProvider({ config, endpoint, dialect, local, key, timeoutMs, clock, logger })
}

const wrap = (text: string | undefined): Secret | undefined =>
  text === undefined || text === '' ? undefined : new Secret(text)

const isHeaderValue = (key: Secret): boolean => /^[\x21-\x7e]+$/.test(key.reveal())

function dialectOf({ type }: LlmProviderConfig): ProviderDialect {
  switch (type) {
    case 'openai':
      return makeOpenAiProviderDialect('max_completion_tokens')
    case 'openai-compatible':
      return makeOpenAiProviderDialect('max_tokens')
    case 'anthropic':
      return anthropicProviderDialect
    case 'ollama':
      return ollamaProviderDialect
    case 'scripted':
      throw new Error('The scripted provider speaks no protocol')
  }
}

/** @throws AegisError `invalid` / `config.endpoint` */
function endpointOf({ name, type, endpoint }: LlmProviderConfig): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new AegisError(
      'invalid',
      'config.endpoint',
      `llm_providers, "${name}": endpoint must be an http or https URL without credentials, ` +
        'for example https://api.openai.com/v1.',
    )
  }
  // Written with and without: the protocol's paths bring it themselves.
  if (type === 'anthropic') url.pathname = url.pathname.replace(/\/v1\/?$/, '')
  return url
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}
