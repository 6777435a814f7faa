import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs')
export type {
  AuthorizationAnswer,
  CedarValueJson,
  DetailedError,
  EntityJson,
  Expr,
  PolicyJson,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs'

/**
 * The Cedar engine. It is compiled at the first call, which takes some tens of milliseconds, and
 * not before: a command that needs no decision does not wait for it.
 */
export const loadCedar = once((): Cedar => {
  const require = createRequire(import.meta.url)
  const bundled = join(import.meta.dirname, 'cedar', 'cedar_wasm.cjs')
  return require(existsSync(bundled) ? bundled : '@cedar-policy/cedar-wasm/nodejs')
})

/** Also names sets of policies apart that live in the one engine of this process. */
export const nextSetName = counter('aegis')

/** What is made at the first call, and the same after that. */
export function once<Value>(make: () => Value): () => Value {
  const made: Value[] = []
  return () => {
    const [value = make()] = made
    made[0] = value
    return value
  }
}

function counter(prefix: string): () => string {
  const state = { count: 0 }
  return () => `${prefix}${++state.count}`
}
