import type { LlmSelectionConfig } from '@aegis/core'
import { expect, it } from 'vitest'
import type { Provider } from '../providers/provider.ts'
import { makeLatencyRecord } from './latency-record.ts'
import { makeModelCatalog } from './model-catalog.ts'

/** `models` as `alias=model@cost`. */
function provider(name: string, local: boolean, ...models: string[]): Provider {
  const unused = () => Promise.reject(new Error('not asked in these tests'))
  return {
    name,
    type: local ? 'ollama' : 'openai',
    local,
    embeds: true,
    models: models.map((text) => {
      const [alias = '', model = '', cost = '0'] = text.split(/[=@]/)
      const cost_per_1k_tokens = Number(cost)
      return { alias, model, capabilities: [], context_window: 1, cost_per_1k_tokens }
    }),
    chat: unused,
    embed: unused,
    async [Symbol.asyncDispose]() {},
  }
}

const providers = [
  provider('cloud', false, 'default=big@2', 'fast=small@1', 'smart=big@2'),
  provider('home', true, 'default=llama:latest@0', 'fast=tiny@0'),
  provider('other', false, 'default=huge@1'),
]

function catalogOf(selection: Partial<LlmSelectionConfig> = {}, latency = makeLatencyRecord()) {
  const standard = {
    strategy: 'prefer-local',
    max_retries: 3,
    retry_delay_ms: 1,
    timeout_seconds: 1,
  } as const
  const catalog = makeModelCatalog({ providers, selection: { ...standard, ...selection }, latency })
  const names = (name: string) =>
    catalog.candidates(name).map(({ provider, model }) => `${provider.name}/${model.model}`)
  return { catalog, names }
}

it('gives two aliases of one provider two models', () => {
  const { names } = catalogOf({ strategy: 'prefer-cloud' })
  expect(names('fast')[0]).toBe('cloud/small')
  expect(names('smart')[0]).toBe('cloud/big')
})

it.each([
  ['prefer-local', ['home/llama:latest', 'cloud/big', 'other/huge']],
  ['prefer-cloud', ['cloud/big', 'other/huge', 'home/llama:latest']],
  ['cost-optimized', ['home/llama:latest', 'other/huge', 'cloud/big']],
] as const)('orders the providers of an alias by %s', (strategy, expected) => {
  expect(catalogOf({ strategy }).names('default')).toEqual(expected)
})

it('lets the default provider decide between equals', () => {
  const { names } = catalogOf({ strategy: 'prefer-cloud', default_provider: 'other' })
  expect(names('default')).toEqual(['other/huge', 'cloud/big', 'home/llama:latest'])
})

it('prefers what answered fastest lately, and first of all what was never measured', () => {
  const latency = makeLatencyRecord()
  const { catalog, names } = catalogOf({ strategy: 'latency-optimized' }, latency)
  const [cloud, home, other] = catalog.candidates('default')
  if (!cloud || !home || !other) throw new Error('three expected')
  latency.add(cloud, 300)
  latency.add(home, 900)
  expect(names('default')).toEqual(['other/huge', 'cloud/big', 'home/llama:latest'])
  latency.add(other, 500)
  for (let count = 0; count < 20; count++) latency.add(home, 10)
  expect(names('default')).toEqual(['home/llama:latest', 'cloud/big', 'other/huge'])
})

it("knows a model by its provider's name, with and without the provider and Ollama's tag", () => {
  const { names } = catalogOf()
  expect(names('small')).toEqual(['cloud/small'])
  expect(names('other/huge')).toEqual(['other/huge'])
  expect(names('llama')).toEqual(['home/llama:latest'])
  expect(names('fast:latest')).toEqual(['home/tiny', 'cloud/small'])
})

it('names the aliases there are when there is no such model', () => {
  const { catalog } = catalogOf()
  expect(() => catalog.candidates('gpt-9')).toThrow(/No model "gpt-9".*default, fast, smart/)
})

it('answers default with the first model of the default provider where no alias says otherwise', () => {
  const catalog = makeModelCatalog({
    providers: [provider('a', true, 'x=one'), provider('b', true, 'y=two')],
    selection: {
      strategy: 'prefer-local',
      default_provider: 'b',
      max_retries: 1,
      retry_delay_ms: 1,
      timeout_seconds: 1,
    },
    latency: makeLatencyRecord(),
  })
  expect(catalog.candidates('default').map(({ model }) => model.model)).toEqual(['two'])
})

it('falls back to the same alias of the fallback provider, else to its first model', () => {
  const { catalog } = catalogOf({ fallback_provider: 'home' })
  expect(catalog.fallback('fast')?.model.model).toBe('tiny')
  expect(catalog.fallback('smart')?.model.model).toBe('llama:latest')
})
