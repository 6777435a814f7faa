import type { SandboxIdentity } from '@aegis/core'
import { secretWatchOf } from '../inspect/secret-watch.ts'
import { nothing, noWatch, type OutgoingWatch } from './outgoing-watch.ts'

/** Stops what passes unread when the placeholder of a secret is in it. */
export function watchPlaceholders(identity: SandboxIdentity): OutgoingWatch {
  const guard = secretWatchOf(identity)?.scanner.guard()
  if (guard === undefined) return noWatch
  return { pass: (chunk) => guard.push(chunk), end: () => guard.push(nothing, true) }
}
