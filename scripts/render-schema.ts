/** As much of JSON Schema as the tables need. */
export interface Schema {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  /** The key that means the same, of which this is another name. */
  readonly aliasOf?: string
}

interface Row {
  readonly key: string
  readonly schema: Schema
  readonly required: boolean
}

/**
 * A section with a table for each part of a document: what stands below `split`, and the rest of
 * the top. Other names of keys are listed in a section of their own.
 */
export function renderSchema(root: Schema, split: string): string {
  const all = rowsOf(root)
  const inner = all.find(({ key }) => key === split)
  const top = all.filter(({ key }) => key !== split)
  const below = inner === undefined ? [] : rowsOf(inner.schema)
  const parts = below.filter(({ schema }) => schema.aliasOf === undefined && isPart(schema))
  const rest = below.filter((row) => row.schema.aliasOf === undefined && !parts.includes(row))
  const aliases = aliasesOf(root, '')
  return [
    '## The top',
    table(top.flatMap((row) => flatten(row))),
    ...parts.flatMap((row) => section(`${split}.${row.key}`, row)),
    ...(rest.length === 0
      ? []
      : [`## Other keys of ${split}`, table(rest.flatMap((row) => flatten(row)))]),
    ...(aliases.length === 0 ? [] : ['## Other names', aliasTable(aliases)]),
  ].join('\n\n')
}

function section(path: string, { schema, required }: Row): string[] {
  const heading = `## ${path}${required ? '' : ' (optional)'}`
  const alternatives = schema.oneOf ?? schema.items?.oneOf
  if (alternatives !== undefined) {
    const list = schema.items === undefined ? '' : 'A list. '
    const tables = alternatives.flatMap((one) => [
      `With \`type: ${String(one.properties?.type?.const)}\`:`,
      table(rowsOf(one).flatMap((row) => flatten(row))),
    ])
    return [heading, `${list}Which keys there are follows from \`type\`.`, ...tables]
  }
  const inner = schema.items ?? schema
  const list = schema.items === undefined ? [] : ['A list; each entry has:']
  return [heading, ...list, table(rowsOf(inner).flatMap((row) => flatten(row)))]
}

const isPart = ({ oneOf, items, properties }: Schema): boolean =>
  (oneOf ?? items?.oneOf ?? items?.properties ?? properties) !== undefined

const rowsOf = ({ properties = {}, required = [] }: Schema): Row[] =>
  Object.entries(properties).map(([key, schema]) => ({
    key,
    schema,
    required: required.includes(key),
  }))

/** The row itself, or, of a map with known keys, the rows below it. */
function flatten(row: Row, prefix = ''): Row[] {
  const { schema } = row
  if (schema.aliasOf !== undefined) return []
  const key = `${prefix}${row.key}`
  const inner = schema.items ?? schema
  const mark = schema.items === undefined ? '' : '[]'
  const below = (inner.oneOf ?? [inner]).flatMap((one) => rowsOf(one))
  if (below.length === 0) return [{ ...row, key }]
  const own = schema.description === undefined ? [] : [{ ...row, key }]
  return distinct([...own, ...below.flatMap((one) => flatten(one, `${key}${mark}.`))])
}

/** Alternatives share keys; the words of their `type`s are put together. */
function distinct(rows: readonly Row[]): Row[] {
  const byKey = new Map<string, Row>()
  for (const row of rows) {
    const earlier = byKey.get(row.key)
    if (earlier === undefined) byKey.set(row.key, row)
    else if (row.schema.const !== undefined) {
      const words = [...(earlier.schema.enum ?? [earlier.schema.const]), row.schema.const]
      byKey.set(row.key, { ...earlier, schema: { enum: words } })
    }
  }
  return [...byKey.values()]
}

function aliasesOf(schema: Schema, path: string): [alias: string, of: string][] {
  return rowsOf(schema).flatMap(({ key, schema: inner }): [string, string][] => {
    const own = path === '' ? key : `${path}.${key}`
    return inner.aliasOf === undefined ? aliasesOf(inner, own) : [[own, inner.aliasOf]]
  })
}

function aliasTable(aliases: readonly (readonly [string, string])[]): string {
  const rows = aliases.map(([alias, of]) => `| \`${alias}\` | \`${of}\` |`)
  return ['| key | means |', '|---|---|', ...rows].join('\n')
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ key, schema, required }) => {
    const fallback = required ? 'required' : defaultOf(schema)
    return `| \`${key}\` | ${kindOf(schema)} | ${fallback} | ${cell(schema.description ?? '')} |`
  })
  return ['| key | value | default | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

function kindOf(schema: Schema): string {
  const words = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  if (words !== undefined) return words.map((word) => `\`${String(word)}\``).join(', ')
  if (schema.prefixItems !== undefined) return 'list of text'
  if (schema.items !== undefined) {
    const { properties, oneOf } = schema.items
    return `list of ${(properties ?? oneOf) ? 'maps' : kindOf(schema.items)}`
  }
  if (schema.type === 'object') {
    return typeof schema.additionalProperties === 'object' ? 'map of text' : 'map'
  }
  return kinds.get(schema.type ?? '') ?? 'anything'
}

const kinds: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['integer', 'whole number'],
  ['number', 'number'],
  ['boolean', '`true`, `false`'],
])

function defaultOf({ default: fallback }: Schema): string {
  if (fallback === undefined) return ''
  if (Array.isArray(fallback) && fallback.length > 0) {
    return `\`[${cell(fallback.join(', '))}]\``
  }
  if (typeof fallback === 'object' && fallback !== null) return 'empty'
  return `\`${cell(String(fallback))}\``
}

const cell = (text: string): string => text.replaceAll('\n', '\\n').replaceAll('|', '\\|')
