import { setImmediate } from 'node:timers/promises'
import { type Clock, type Logger, type NodeConfig, parseDuration } from '@aegis/core'
import type { AuditNotary, AuditStore } from '@aegis/core/audit'
import { openAuditNotary, startRetention } from '@aegis/security'
import type { Home } from './home.ts'
import { homeIdOf } from './home-id.ts'

interface Options {
  readonly store: AuditStore
  readonly home: Home
  readonly config: NodeConfig
  readonly clock: Clock
  readonly logger: Logger
}

/** The log of a node, with who signs for it and who drops what is too old. */
export interface AuditLog extends AsyncDisposable {
  readonly audit: AuditStore
  readonly notary: AuditNotary
  readonly pause: () => Promise<void>
}

/** @throws AegisError what `openAuditNotary` throws */
export async function openAudit(options: Options): Promise<AuditLog> {
  const { store, home, config, clock, logger } = options
  const { origin, retention } = config.spec.security.audit
  await using undo = new AsyncDisposableStack()
  const notary = undo.use(
    await openAuditNotary({
      store,
      directory: home.keys,
      origin,
      fallbackOrigin: await originOf(home),
      clock,
      logger,
    }),
  )
  if (retention !== undefined) {
    undo.use(startRetention({ store, retentionMs: parseDuration(retention), clock, logger }))
  }
  const resources = undo.move()
  return {
    audit: store,
    notary,
    pause: setImmediate,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** The name of a log that the operator gave none. */
export const originOf = async (home: Home): Promise<string> =>
  `aegis/${await homeIdOf(home.directory)}`
