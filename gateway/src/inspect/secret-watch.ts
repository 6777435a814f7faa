import type { ExecutionSecret, SandboxIdentity } from '@aegis/core'
import { type BodyRoom, makeBodyRoom } from './http/read-whole.ts'
import { inspectLimits } from './inspect-limits.ts'
import { makePlaceholderScanner, type PlaceholderScanner } from './placeholder-scanner.ts'
import { makeRedactor, type Redactor } from './secrets/redactor.ts'

/** What watches over the secrets of one iteration. */
export interface SecretWatch {
  readonly secrets: readonly ExecutionSecret[]
  readonly scanner: PlaceholderScanner
  readonly redactor: Redactor
  /** For bodies that are read whole. */
  readonly bodies: BodyRoom
}

/** Made once for each iteration; undefined for one without secrets. */
export function secretWatchOf({
  secrets,
}: Pick<SandboxIdentity, 'secrets'>): SecretWatch | undefined {
  if (secrets.length === 0) return undefined
  const known = watches.get(secrets)
  if (known !== undefined) return known
  const watch = {
    secrets,
    scanner: makePlaceholderScanner(secrets),
    redactor: makeRedactor(secrets),
    bodies: makeBodyRoom(inspectLimits.signedBodiesBytes),
  }
  watches.set(secrets, watch)
  return watch
}

/** Forgotten with the iteration that it was made for. */
const watches = new WeakMap<readonly ExecutionSecret[], SecretWatch>()
