import type { CompiledPolicy } from './compiled-policy.ts'

/** What of a request its policies look into, so that only that is put together. */
export interface Interest {
  /** Attributes or labels of who asks, or of the thing. */
  readonly entities: boolean
  /** Names of headers; undefined where any may count. */
  readonly headers: ReadonlySet<string> | undefined
}

export function interestOf(policies: readonly CompiledPolicy[]): Interest {
  const headers = new Set<string>()
  const found = { entities: false, anyHeader: false }
  for (const { json } of policies) {
    walk(
      json.conditions.map(({ body }) => body),
      (node) => {
        if (node.Var === 'principal' || node.Var === 'resource') found.entities = true
        for (const name of ['getTag', 'hasTag']) {
          const operands = node[name]
          if (operands === undefined) continue
          const key = literalText(operands)
          if (key === undefined) found.anyHeader = true
          else headers.add(key)
        }
      },
    )
    // Groups are told by the entity; a comparison with one needs none.
    found.entities ||= 'in' in json.principal || json.principal.op === 'in'
  }
  return { entities: found.entities, headers: found.anyHeader ? undefined : headers }
}

function literalText(operands: unknown): string | undefined {
  if (!isRecord(operands) || !isRecord(operands.right)) return undefined
  const { Value: key } = operands.right
  return typeof key === 'string' ? key : undefined
}

/** Every object of a syntax tree. */
function walk(tree: unknown, visit: (node: Record<string, unknown>) => void): void {
  if (Array.isArray(tree)) {
    for (const one of tree) walk(one, visit)
  } else if (isRecord(tree)) {
    visit(tree)
    for (const one of Object.values(tree)) walk(one, visit)
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
