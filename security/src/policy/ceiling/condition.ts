import type { PolicyJson } from '../cedar.ts'
import { type AddressRange, rangeOf } from './address-range.ts'
import type { TextPattern } from './text-pattern.ts'

/**
 * When a policy holds, in the terms that requests differ in. A part is `host`, `port`, `path`,
 * `http.method`, `http.path`, `header accept` …; `resource` goes by its id.
 */
export type Condition =
  | { readonly kind: 'truth'; readonly holds: boolean }
  /** The same for all requests of one agent; Cedar knows which. */
  | { readonly kind: 'constant' }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | {
      readonly kind: 'if'
      readonly test: Condition
      readonly yes: Condition
      readonly no: Condition
    }
  | { readonly kind: 'is-text'; readonly part: string; readonly text: string }
  | { readonly kind: 'is-like'; readonly part: string; readonly pattern: TextPattern }
  | { readonly kind: 'is-resource'; readonly type: string; readonly id: string }
  | { readonly kind: 'has-type'; readonly type: string }
  | {
      readonly kind: 'compares'
      readonly part: string
      readonly order: Order
      readonly number: number
    }
  | { readonly kind: 'in-range'; readonly ranges: readonly AddressRange[] }
  | { readonly kind: 'has'; readonly part: string }

export type Order = '==' | '<' | '<=' | '>' | '>='

/** A condition of a kind that cannot be analysed; the message completes `it has …`. */
export class UnclearCondition extends Error {}

/** @throws UnclearCondition */
export function readCondition({ resource, conditions }: PolicyJson): Condition {
  const clauses = conditions.map(({ kind, body }): Condition => {
    const read = readExpression(body)
    return kind === 'when' ? read : { kind: 'not', of: read }
  })
  return [...readHead(resource), ...clauses].reduceRight<Condition>(
    (right, left) => ({ kind: 'and', left, right }),
    { kind: 'truth', holds: true },
  )
}

function readHead(resource: PolicyJson['resource']): readonly Condition[] {
  if (resource.op === 'All') return []
  if (resource.op === 'is') {
    const inside = resource.in === undefined ? [] : readHead({ op: 'in', ...resource.in })
    return [{ kind: 'has-type', type: resource.entity_type }, ...inside]
  }
  // Things have no groups, so that to be in one is to be it.
  return 'entity' in resource ? [{ kind: 'is-resource', ...entityIn(resource.entity) }] : []
}

const entityIn = (
  entity: Extract<PolicyJson['resource'], { readonly entity: unknown }>['entity'],
): Entity => ('__entity' in entity ? entity.__entity : entity)

interface Entity {
  readonly type: string
  readonly id: string
}

/** `{ like: { left, pattern } }`: one operator, and what it is applied to. */
function readExpression(expr: unknown): Condition {
  const { operator, operands } = split(expr)
  if (!dependsOnRequest(expr)) {
    const { Value: value } = record(expr)
    return typeof value === 'boolean' ? { kind: 'truth', holds: value } : { kind: 'constant' }
  }
  const { left, right } = record(operands)
  switch (operator) {
    case '&&':
      return { kind: 'and', left: readExpression(left), right: readExpression(right) }
    case '||':
      return { kind: 'or', left: readExpression(left), right: readExpression(right) }
    case '!':
      return { kind: 'not', of: readExpression(record(operands).arg) }
    case 'if-then-else': {
      const { if: test, then: yes, else: no } = record(operands)
      return {
        kind: 'if',
        test: readExpression(test),
        yes: readExpression(yes),
        no: readExpression(no),
      }
    }
    case '==':
      return readEqual(left, right)
    case '!=':
      return { kind: 'not', of: readEqual(left, right) }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return readOrder(operator, left, right)
    case 'like':
      return {
        kind: 'is-like',
        part: needPart(left),
        pattern: readPattern(record(operands).pattern),
      }
    case 'contains':
      return anyOf(itemsOf(left).map((item) => readEqual(right, item)))
    case 'in':
      return anyOf(setOrOne(right).map((item) => readEqual(left, item)))
    case 'is':
      if (partOf(left) !== 'resource' || record(operands).in !== undefined)
        throw unclear('is … in …')
      return { kind: 'has-type', type: String(record(operands).entity_type) }
    case 'has':
      return { kind: 'has', part: readAttribute(left, record(operands).attr) }
    case 'hasTag':
      if (partOf(left) !== 'http.headers') throw unclear('hasTag on something that is no headers')
      return { kind: 'has', part: `header ${needText(right)}` }
    default:
      return readAddressTest(operator, operands)
  }
}

function readAddressTest(operator: string, operands: unknown): Condition {
  const [address, range]: readonly unknown[] = Array.isArray(operands) ? operands : []
  const fixed = fixedRanges.get(operator)
  if (operator !== 'isInRange' && fixed === undefined) throw unclear(`the operator ${operator}`)
  if (partOf(address) !== 'address') throw unclear(`${operator} of a computed address`)
  return { kind: 'in-range', ranges: fixed ?? [needRange(range)] }
}

const fixedRanges: ReadonlyMap<string, readonly AddressRange[]> = new Map(
  Object.entries({
    isIpv4: ['0.0.0.0/0'],
    isIpv6: ['::/0'],
    isLoopback: ['127.0.0.0/8', '::1'],
    isMulticast: ['224.0.0.0/4', 'ff00::/8'],
  }).map(([operator, texts]) => [operator, texts.flatMap((text) => rangeOf(text) ?? [])]),
)

function readEqual(left: unknown, right: unknown): Condition {
  const [part, other] = partOf(left) === undefined ? [partOf(right), left] : [partOf(left), right]
  const value = literalOf(other)
  if (part === undefined || dependsOnRequest(other))
    throw unclear('a comparison of two things that requests say')
  if (part === 'resource') {
    const entity = readEntity(other)
    if (entity === undefined) throw unclear('a resource that is not written out')
    return { kind: 'is-resource', ...entity }
  }
  if (part === 'address') return { kind: 'in-range', ranges: [needRange(other)] }
  if (typeof value === 'string') return { kind: 'is-text', part, text: value }
  if (typeof value === 'number') return readOrder('==', left, right)
  throw unclear(`a comparison of context.${part} with something that is not written out`)
}

/** With the part of the request to the left of the number. */
function readOrder(order: Order, left: unknown, right: unknown): Condition {
  const part = partOf(left)
  const number = literalOf(right)
  if (part === undefined && partOf(right) !== undefined) {
    return readOrder(mirrored[order], right, left)
  }
  if (part === undefined || typeof number !== 'number') throw unclear('arithmetic')
  if (!Number.isSafeInteger(number)) throw unclear(`the number ${number}`)
  return { kind: 'compares', part, order, number }
}

const mirrored = { '==': '==', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

const anyOf = (all: readonly Condition[]): Condition =>
  all.reduceRight<Condition>((right, left) => ({ kind: 'or', left, right }), {
    kind: 'truth',
    holds: false,
  })

function readPattern(pattern: unknown): TextPattern {
  const elements: readonly unknown[] = Array.isArray(pattern) ? pattern : []
  return elements.flatMap((one) =>
    one === 'Wildcard' ? [undefined] : [...String(record(one).Literal)],
  )
}

function readAttribute(left: unknown, attr: unknown): string {
  const { Var: variable } = record(left)
  const path = [attr].flat().join('.')
  if (variable === 'context') return path
  throw unclear('has on a part of the context')
}

/** Which part of a request an operand is; undefined for what is none. */
function partOf(expr: unknown): string | undefined {
  const { operator, operands } = split(expr)
  if (operator === 'Var') return operands === 'resource' ? 'resource' : undefined
  const { left, attr, right } = record(operands)
  if (operator === '.') {
    if (record(left).Var === 'context') return String(attr)
    const before = partOf(left)
    return before === undefined || before === 'resource' ? undefined : `${before}.${attr}`
  }
  if (operator !== 'getTag' || partOf(left) !== 'http.headers') return undefined
  const name = literalOf(right)
  return typeof name === 'string' ? `header ${name}` : undefined
}

function needPart(expr: unknown): string {
  const part = partOf(expr)
  if (part !== undefined && part !== 'resource') return part
  throw unclear('a pattern on something that is computed')
}

function needText(expr: unknown): string {
  const text = literalOf(expr)
  if (typeof text === 'string') return text
  throw unclear('a name of a header that is not written out')
}

function needRange(expr: unknown): AddressRange {
  const { operator, operands } = split(expr)
  const text = operator === 'ip' && Array.isArray(operands) ? literalOf(operands[0]) : undefined
  const range = typeof text === 'string' ? rangeOf(text) : undefined
  if (range !== undefined) return range
  throw unclear('a range of addresses that is not written out')
}

function itemsOf(set: unknown): readonly unknown[] {
  const { Set: items } = record(set)
  if (Array.isArray(items)) return items
  throw unclear('a set that is not written out')
}

const setOrOne = (expr: unknown): readonly unknown[] =>
  split(expr).operator === 'Set' ? itemsOf(expr) : [expr]

function literalOf(expr: unknown): string | number | boolean | undefined {
  const { operator, operands } = split(expr)
  if (operator === 'neg') {
    const value = literalOf(record(operands).arg)
    return typeof value === 'number' ? -value : undefined
  }
  if (operator !== 'Value') return undefined
  const isPlain = ['string', 'number', 'boolean'].includes(typeof operands)
  return isPlain ? (operands as string | number | boolean) : undefined
}

function readEntity(expr: unknown): Entity | undefined {
  const { type, id } = record(record(record(expr).Value).__entity)
  return typeof type === 'string' && typeof id === 'string' ? { type, id } : undefined
}

/** Whether an expression can be another for another request of the same agent. */
function dependsOnRequest(expr: unknown): boolean {
  if (Array.isArray(expr)) return expr.some(dependsOnRequest)
  if (typeof expr !== 'object' || expr === null) return false
  // Records may have a key of that name, but no text stands behind it.
  if ('Var' in expr && typeof expr.Var === 'string') return expr.Var !== 'principal'
  return Object.values(expr).some(dependsOnRequest)
}

const split = (expr: unknown): { readonly operator: string; readonly operands: unknown } => {
  const [operator = '', operands] = Object.entries(record(expr))[0] ?? []
  return { operator, operands }
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? { ...value } : {}

const unclear = (what: string): UnclearCondition => new UnclearCondition(what)
