import * as z from 'zod'
import { knownKeys, line, report, rule, wholeNumber } from '../kernel/field.ts'
import type { Finding } from '../kernel/input-error.ts'

/** Where a provider of each type is unless its config says so. */
const endpoints: Readonly<Record<string, string>> = {
  ollama: 'http://localhost:11434',
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
  // It is asked in process.
  scripted: 'scripted:',
}

const modelSchema = knownKeys({
  alias: line().describe('The name agents use: `default`, `fast`, `smart`, or another'),
  model: line().describe('The name the provider uses'),
  capabilities: z
    .array(line())
    .max(100)
    .default([])
    .describe('Free words: `chat`, `code`, `embedding`'),
  context_window: wholeNumber(1, 100_000_000).default(8192).describe('Tokens'),
  cost_per_1k_tokens: z.number().min(0).max(1_000_000).default(0).describe('In your currency'),
})

const providerSchema = knownKeys({
  name: line().describe('Any, once'),
  type: z
    .enum(['ollama', 'openai', 'openai-compatible', 'anthropic', 'scripted'])
    .describe('The protocol it speaks; `scripted` answers from rules, offline'),
  endpoint: z
    .string()
    .superRefine(rule(checkEndpoint))
    .optional()
    .describe('Base URL; every type but `openai-compatible` has one of its own'),
  api_key: z
    .string()
    .min(1)
    .max(4096)
    .superRefine(rule(checkApiKey))
    .optional()
    .describe(
      '`env:NAME` takes it from the environment of the daemon; a literal key is never printed',
    ),
  enabled: z.boolean().default(true).describe('Whether it is asked'),
  models: z.array(modelSchema).min(1).max(1000).describe('At least one'),
  rules: line()
    .optional()
    .describe('Of a `scripted` provider: a file with its answers; absent: built-in ones'),
})
  .superRefine(({ type, endpoint, rules, models }, context) => {
    if (endpoint === undefined && endpoints[type] === undefined) {
      const remedy = 'Add the base URL, for example endpoint: http://localhost:1234/v1.'
      report(context, { message: `A provider of type ${type} needs it.`, remedy }, ['endpoint'])
    }
    if (rules !== undefined && type !== 'scripted') {
      const finding = {
        message: `A provider of type ${type} has no rules.`,
        remedy: 'Remove it, or use type: scripted.',
      }
      report(context, finding, ['rules'])
    }
    const aliases = models.map(({ alias }) => alias)
    for (const [index, alias] of aliases.entries()) {
      if (aliases.indexOf(alias) === index) continue
      const finding = {
        message: `"${alias.slice(0, 60)}" is taken by models[${aliases.indexOf(alias)}] already.`,
        remedy: 'Give each model of a provider an alias of its own.',
      }
      report(context, finding, ['models', index, 'alias'])
    }
  })
  .transform(({ name, type, endpoint, ...rest }) => ({
    name,
    type,
    endpoint: (endpoint ?? endpoints[type] ?? '').replace(/\/+$/, ''),
    ...rest,
  }))

export const llmProvidersSchema = z
  .array(providerSchema)
  .max(100)
  .superRefine((providers, context) => {
    const names = providers.map(({ name }) => name)
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue
      const finding = {
        message: `"${name.slice(0, 60)}" is taken by llm_providers[${names.indexOf(name)}] already.`,
        remedy: 'Give each provider a name of its own.',
      }
      report(context, finding, [index, 'name'])
    }
  })
  .prefault([])

export const llmSelectionSchema = knownKeys({
  strategy: z
    .enum(['prefer-local', 'prefer-cloud', 'cost-optimized', 'latency-optimized'])
    .default('prefer-local')
    .describe('Which provider comes first where several have the alias'),
  default_provider: line().optional().describe('Comes before the strategy'),
  fallback_provider: line().optional().describe('Asked when the others have failed'),
  max_retries: wholeNumber(1, 20).default(3).describe('Attempts per provider in all, 1 to 20'),
  retry_delay_ms: wholeNumber(0, 3_600_000)
    .default(1000)
    .describe('Milliseconds before the second attempt; it doubles'),
  timeout_seconds: wholeNumber(1, 86_400)
    .default(300)
    .describe('Longest wait for the first byte of an answer, and between two bytes'),
})

function checkEndpoint(endpoint: string): Finding | undefined {
  if (endpoint === 'scripted:') return undefined
  if (!/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/i.test(endpoint) || endpoint.length > 2048) {
    return {
      message: 'This is not a base URL.',
      remedy:
        'Write it like http://localhost:11434 or https://api.example.com/v1, without key or query.',
    }
  }
  return undefined
}

/** Its messages never show the key. */
function checkApiKey(key: string): Finding | undefined {
  if (/^env:/i.test(key)) {
    if (/^env:[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return undefined
    return {
      message: 'It names no variable.',
      remedy: 'Write env: and the name of a variable of the daemon, like env:OPENAI_API_KEY.',
    }
  }
  if (/^[\x21-\x7e]+$/.test(key)) return undefined
  return {
    message: 'The key holds a space, a line break, or a letter beyond ASCII.',
    remedy: 'Copy it again, or name a variable: env:OPENAI_API_KEY.',
  }
}
