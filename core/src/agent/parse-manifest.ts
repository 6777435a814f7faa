import * as z from 'zod'
import { checkInput } from '../kernel/check-input.ts'
import { readYaml } from '../kernel/read-yaml.ts'
import { readValue, type SourceDocument } from '../kernel/source-document.ts'
import { withoutUndefined } from '../kernel/without-undefined.ts'
import type { AgentManifest } from './agent-manifest.ts'
import { flatManifestSchema, fromFlatManifest, isFlatManifest } from './flat-manifest.ts'
import { manifestFreeMaps, manifestSchema } from './manifest-schema.ts'

export interface InputOrigin {
  /** Name of the file, for the places in messages. */
  readonly file?: string | undefined
}

/** Characters of a manifest's text: room for the contents of `spec.context`. */
export const maxManifestCharacters = 2 * 2 ** 20

/**
 * The canonical manifest of a YAML or JSON text in any accepted form.
 * @throws AegisError `invalid` / `manifest.invalid` with all problems and their places
 */
export function parseManifest(source: string, origin: InputOrigin = {}): AgentManifest {
  return parseDocument(readYaml(source, maxManifestCharacters), origin)
}

/**
 * The canonical manifest of a value that was parsed as JSON. Stricter than YAML: where text is
 * wanted, a number is refused.
 * @throws AegisError `invalid` / `manifest.invalid` with all problems
 */
export function parseManifestValue(value: unknown, origin: InputOrigin = {}): AgentManifest {
  return parseDocument(readValue(value), origin)
}

function parseDocument(document: SourceDocument, { file }: InputOrigin): AgentManifest {
  const check = { code: 'manifest.invalid', file, freeMaps: manifestFreeMaps } as const
  if (!isFlatManifest(document.root.value)) {
    return withoutUndefined(checkInput(manifestSchema, document, check))
  }
  const flat = checkInput(flatManifestSchema, document, check)
  return withoutUndefined(checkInput(manifestSchema, readValue(fromFlatManifest(flat)), check))
}

/** The `apiVersion` form as JSON Schema (2020-12), as it may be written. */
export const manifestJsonSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(manifestSchema, { io: 'input', unrepresentable: 'any' })
