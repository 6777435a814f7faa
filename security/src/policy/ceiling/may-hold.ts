import type { Condition, Order } from './condition.ts'
import { matches } from './text-pattern.ts'

/** What is known of a request. */
export interface Known {
  /** The part of the request that its resource is named by, and its text. */
  readonly subject: string
  readonly text: string
  readonly port?: number | undefined
  readonly resource: { readonly type: string; readonly id: string }
}

/**
 * False only when a condition cannot hold for any request of which this is known. It spares Cedar
 * questions; whatever it cannot tell is asked.
 */
export const mayHold = (condition: Condition, known: Known): boolean =>
  truthOf(condition, known) !== false

type Truth = boolean | undefined

function truthOf(condition: Condition, known: Known): Truth {
  switch (condition.kind) {
    case 'truth':
      return condition.holds
    case 'and':
      return joined(condition, known, false)
    case 'or':
      return joined(condition, known, true)
    case 'not':
      return opposite(truthOf(condition.of, known))
    case 'if': {
      const test = truthOf(condition.test, known)
      if (test !== undefined) return truthOf(test ? condition.yes : condition.no, known)
      const [yes, no] = [truthOf(condition.yes, known), truthOf(condition.no, known)]
      return yes === no ? yes : undefined
    }
    case 'is-text':
      return condition.part === known.subject ? condition.text === known.text : undefined
    case 'is-like':
      return condition.part === known.subject ? matches(condition.pattern, known.text) : undefined
    case 'is-resource':
      return condition.type === known.resource.type && condition.id === known.resource.id
    case 'has-type':
      return condition.type === known.resource.type
    case 'compares':
      return condition.part === 'port' && known.port !== undefined
        ? compares(known.port, condition.order, condition.number)
        : undefined
    case 'constant':
    case 'in-range':
    case 'has':
      return undefined
  }
}

/** `decisive` on either side settles it: false for and, true for or. */
function joined(
  { left, right }: { readonly left: Condition; readonly right: Condition },
  known: Known,
  decisive: boolean,
): Truth {
  const [one, other] = [truthOf(left, known), truthOf(right, known)]
  if (one === decisive || other === decisive) return decisive
  return one === undefined || other === undefined ? undefined : !decisive
}

function compares(value: number, order: Order, number: number): boolean {
  switch (order) {
    case '==':
      return value === number
    case '<':
      return value < number
    case '<=':
      return value <= number
    case '>':
      return value > number
    case '>=':
      return value >= number
  }
}

const opposite = (of: Truth): Truth => (of === undefined ? undefined : !of)
