import * as z from 'zod'
import type { InputOrigin } from '../agent/parse-manifest.ts'
import { checkInput } from '../kernel/check-input.ts'
import { readYaml } from '../kernel/read-yaml.ts'
import { readValue, type SourceDocument } from '../kernel/source-document.ts'
import { withoutUndefined } from '../kernel/without-undefined.ts'
import type { NodeConfig } from './node-config.ts'
import { configFreeMaps, flatNodeConfigSchema, nodeConfigSchema } from './node-config-schema.ts'

/** Characters of a config's text. */
export const maxConfigCharacters = 2 ** 20

/**
 * The canonical config of a YAML or JSON text, in the `NodeConfig` form or the flat one (`node:`
 * and `llm_providers:` at the top).
 * @throws AegisError `invalid` / `config.invalid` with all problems and their places
 */
export function parseNodeConfig(source: string, origin: InputOrigin = {}): NodeConfig {
  return parseDocument(readYaml(source, maxConfigCharacters), origin)
}

/**
 * The canonical config of a value that was parsed as JSON.
 * @throws AegisError `invalid` / `config.invalid` with all problems
 */
export function parseNodeConfigValue(value: unknown, origin: InputOrigin = {}): NodeConfig {
  return parseDocument(readValue(value), origin)
}

function parseDocument(document: SourceDocument, { file }: InputOrigin): NodeConfig {
  const check = { code: 'config.invalid', file, freeMaps: configFreeMaps } as const
  if (!isFlat(document.root.value)) {
    return withoutUndefined(checkInput(nodeConfigSchema, document, check))
  }
  const { node, ...sections } = checkInput(flatNodeConfigSchema, document, check)
  const { name = node.id, ...rest } = node
  return withoutUndefined({
    apiVersion: '100monkeys.ai/v1',
    kind: 'NodeConfig',
    metadata: { name, labels: {} },
    spec: { node: rest, ...sections },
  })
}

function isFlat(document: unknown): boolean {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return false
  const marks = ['node', 'llm_providers']
  return !('apiVersion' in document || 'kind' in document) && marks.some((key) => key in document)
}

/** The `NodeConfig` form as JSON Schema (2020-12), as it may be written. */
export const nodeConfigJsonSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(nodeConfigSchema, { io: 'input', unrepresentable: 'any' })
