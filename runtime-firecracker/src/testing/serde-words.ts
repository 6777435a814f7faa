import type * as z from 'zod'

/**
 * What the real Firecracker says of a body that it cannot read, as its JSON library puts it.
 * Undefined for one that it can.
 */
export function deserializeFault(schema: z.ZodType, text: string): string | undefined {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return inBody(`expected value at line 1 column ${text.length === 0 ? 0 : 1}`)
  }
  const issue = schema.safeParse(body, { reportInput: true }).error?.issues.find(isOfForm)
  if (issue === undefined) return undefined
  const key = String(issue.path.at(-1) ?? '')
  switch (issue.code) {
    case 'unrecognized_keys': {
      const [unknown = ''] = issue.keys
      const known = keysAt(schema, issue.path)
      return inBody(
        `unknown field \`${unknown}\`, expected ${listed(known)}${after(text, unknown)}`,
      )
    }
    case 'invalid_value': {
      const values = issue.values.map(String)
      if (issue.input === undefined) return inBody(`missing field \`${key}\`${atEnd(text)}`)
      if (typeof issue.input !== 'string')
        return inBody(`${typeOf(issue.input)}, expected string or map${after(text, key)}`)
      return inBody(
        `unknown variant \`${issue.input}\`, expected ${listed(values)}${after(text, issue.input)}`,
      )
    }
    case 'invalid_type':
      if (issue.input === undefined) return inBody(`missing field \`${key}\`${atEnd(text)}`)
      return inBody(
        `${typeOf(issue.input)}, expected ${rustName(key, issue.expected)}${after(text, key)}`,
      )
    default:
      return undefined
  }
}

/** Bounds are not the library's matter but that of whoever gets the value. */
const isOfForm = ({ code }: z.core.$ZodIssue): boolean =>
  code === 'unrecognized_keys' || code === 'invalid_type' || code === 'invalid_value'

const inBody = (words: string): string =>
  `An error occurred when deserializing the json body of a request: ${words}.`

function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``)
  if (quoted.length <= 2) return quoted.join(' or ')
  return `one of ${quoted.join(', ')}`
}

/** It counts from one, up to the last character it has read. */
const after = (text: string, word: string): string =>
  ` at line 1 column ${text.indexOf(`"${word}"`) + word.length + 2}`

const atEnd = (text: string): string => ` at line 1 column ${text.length}`

function typeOf(value: unknown): string {
  if (value === null) return 'invalid type: null'
  if (Array.isArray(value)) return 'invalid type: sequence'
  if (typeof value === 'string') return `invalid type: string ${JSON.stringify(value)}`
  if (typeof value === 'boolean') return `invalid type: boolean \`${value}\``
  if (typeof value !== 'number') return 'invalid type: map'
  return Number.isInteger(value)
    ? `invalid type: integer \`${value}\``
    : `invalid type: floating point \`${value}\``
}

const integers: Readonly<Record<string, string>> = {
  vcpu_count: 'u8',
  mem_size_mib: 'usize',
  guest_cid: 'u32',
}

function rustName(key: string, expected: string): string {
  if (expected === 'string') return 'a string'
  if (expected === 'boolean') return 'a boolean'
  return integers[key] ?? 'u64'
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema
  for (const step of path) at = unwrapped(shapeOf(at)[String(step)])
  return Object.keys(shapeOf(at))
}

const shapeOf = (schema: unknown): Readonly<Record<string, unknown>> =>
  typeof schema === 'object' && schema !== null && 'shape' in schema
    ? { ...(typeof schema.shape === 'object' ? schema.shape : {}) }
    : {}

const unwrapped = (schema: unknown): unknown =>
  typeof schema === 'object' &&
  schema !== null &&
  'unwrap' in schema &&
  typeof schema.unwrap === 'function'
    ? schema.unwrap()
    : schema
