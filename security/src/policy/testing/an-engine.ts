import type { Logger, PolicyEngine, SecurityConfig } from '@aegis/core'
import { readOperatorPolicies } from '../operator-policies.ts'
import { makeOperatorSet } from '../operator-set.ts'
import { makePolicyEngine } from '../policy-engine.ts'

export interface EngineOptions {
  /** The operator's policies by file. */
  readonly files?: Readonly<Record<string, string>>
  readonly egress?: Partial<SecurityConfig['egress']>
  readonly logger?: Pick<Logger, 'error'>
}

export interface TestEngine extends PolicyEngine, Disposable {
  /** Puts other policies of the operator in force. */
  swap(files: Readonly<Record<string, string>>): void
}

/** An engine whose operator's policies are texts. */
export function anEngine({ files = {}, egress, logger = silent }: EngineOptions = {}): TestEngine {
  const state = { generation: 0, set: setOf(0, files) }
  const engine = makePolicyEngine({
    folder: '/policies',
    security: { egress: { ...defaultEgress, ...egress } },
    source: { current: () => state.set, [Symbol.dispose]: () => undefined },
    logger,
  })
  const swap = (other: Readonly<Record<string, string>>): void => {
    state.generation += 1
    state.set = setOf(state.generation, other)
  }
  return Object.assign(engine, { swap })
}

function setOf(generation: number, files: Readonly<Record<string, string>>) {
  const read = readOperatorPolicies(Object.entries(files).map(([name, text]) => ({ name, text })))
  if (read.problems.length > 0) throw new Error(JSON.stringify(read.problems))
  return makeOperatorSet(generation, read)
}

export const defaultEgress: SecurityConfig['egress'] = {
  allow_public: false,
  reachable_ranges: [],
  resolvers: [],
  limits: {},
}

const silent = { error: () => undefined }
