import { type LlmProviderConfig, type LlmSelectionConfig, type Logger, Secret } from '@aegis/core'
import { type Gateway, type GatewayOptions, openGateway } from '../open-gateway.ts'

export const testSelection: LlmSelectionConfig = {
  strategy: 'prefer-local',
  max_retries: 3,
  retry_delay_ms: 1,
  timeout_seconds: 5,
}

/** A provider with one model of alias `default`. */
export const testProvider = (
  type: LlmProviderConfig['type'],
  endpoint: string,
  more: Partial<LlmProviderConfig> = {},
): LlmProviderConfig => ({
  name: type,
  type,
  endpoint,
  enabled: true,
  models: [
    {
      alias: 'default',
      model: `${type}-model`,
      capabilities: [],
      context_window: 8192,
      cost_per_1k_tokens: 0.5,
    },
  ],
  ...more,
})

/** Keeps every line, as JSON, so that a test can look for what must not be there. */
export function makeLogLines(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const log = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields, showErrors)}`)
  }
  return { lines, debug: log, info: log, warn: log, error: log }
}

const showErrors = (_key: string, value: unknown): unknown =>
  value instanceof Error ? `${value.stack} ${JSON.stringify({ ...value })}` : value

export const testKey = 'sk-test-0123456789abcdef'

export const openTestGateway = (
  providers: readonly LlmProviderConfig[],
  more: Partial<GatewayOptions> = {},
): Gateway =>
  openGateway({
    providers,
    selection: testSelection,
    secret: (reference) => (reference === 'env:TEST_KEY' ? new Secret(testKey) : undefined),
    readText: () => {
      throw new Error('no rules file')
    },
    nodeName: 'test',
    logger: makeLogLines(),
    ...more,
  })
