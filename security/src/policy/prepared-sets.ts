import type { PolicyAction } from '@aegis/core'
import { type EntityJson, loadCedar, nextSetName, type TypeAndId } from './cedar.ts'
import type { CedarRequest } from './cedar-request.ts'
import type { CompiledPolicy } from './compiled-policy.ts'

/** What Cedar says of one set of policies. */
export interface Verdict {
  readonly permits: readonly string[]
  readonly forbids: readonly string[]
  /** Policies that could not be evaluated; Cedar skips them, and nobody else may. */
  readonly failed: readonly string[]
}

export interface PreparedSets extends Disposable {
  /** Makes the engine ready while there is time, since its first answer takes tens of milliseconds. */
  warmUp(): void
  /**
   * Asks one set. `key` names it: the same key always comes with the same policies, which are
   * parsed only when they are not prepared any more.
   */
  ask(key: string, policies: readonly CompiledPolicy[], question: Question): Verdict
}

export interface Question {
  readonly principal: TypeAndId
  readonly action: PolicyAction
  readonly resource: TypeAndId
  readonly context: CedarRequest['context']
  readonly entities: readonly EntityJson[]
}

/**
 * Sets of policies that Cedar has parsed. Cedar never forgets a set, so that this goes round in a
 * fixed number of names, and puts the newest in the place of the one that was asked longest ago.
 */
export function makePreparedSets(most: number): PreparedSets {
  const names = new Map<string, string>()
  const prefix = nextSetName()
  /** Names that hold nothing that is asked for. */
  const free: string[] = []
  const counted = { names: 0 }

  const prepare = (key: string, policies: readonly CompiledPolicy[]): string => {
    const known = names.get(key)
    if (known !== undefined) {
      names.delete(key)
      names.set(key, known)
      return known
    }
    const [oldest] = names
    if (names.size >= most && oldest !== undefined) {
      names.delete(oldest[0])
      free.push(oldest[1])
    }
    // Taken for good only once the set is in it: two keys must never share one.
    const name = free.at(-1) ?? `${prefix}/${counted.names++}`
    if (free.length === 0) free.push(name)
    store(name, policies)
    free.pop()
    names.set(key, name)
    return name
  }

  const ask: PreparedSets['ask'] = (
    key,
    policies,
    { principal, action, resource, context, entities },
  ) => {
    const answer = loadCedar().statefulIsAuthorized({
      principal,
      action: { type: 'Action', id: action },
      resource,
      context,
      entities: [...entities],
      preparsedPolicySetId: prepare(key, policies),
    })
    if (answer.type === 'failure') {
      throw new Error(answer.errors.map(({ message }) => message).join('; '))
    }
    const { decision, diagnostics } = answer.response
    const allowed = decision === 'allow'
    return {
      permits: allowed ? diagnostics.reason : [],
      forbids: allowed ? [] : diagnostics.reason,
      failed: diagnostics.errors.map(({ policyId }) => policyId),
    }
  }

  return {
    ask,
    warmUp: () => void ask('nothing', [], nothing),
    [Symbol.dispose]() {
      for (const name of names.values()) store(name, [])
      names.clear()
    },
  }
}

const nothing: Question = {
  principal: { type: 'Agent', id: '' },
  action: 'llm.generate',
  resource: { type: 'Model', id: '' },
  context: {},
  entities: [],
}

function store(name: string, policies: readonly CompiledPolicy[]): void {
  // A text where there is one: in JSON, JavaScript would round its large numbers.
  const staticPolicies = Object.fromEntries(
    policies.map(({ id, json, text }) => [id, text ?? json]),
  )
  const answer = loadCedar().preparsePolicySet(name, { staticPolicies })
  if (answer.type === 'success') return
  throw new Error(answer.errors.map(({ message }) => message).join('; '))
}
