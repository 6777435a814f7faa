import type { NodeConfig } from '@aegis/core'

export type LogLevel = NodeConfig['spec']['observability']['logging']['level']

const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'] satisfies LogLevel[]

export interface LogLevelOptions {
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  /** From `--log-level`; it wins. */
  readonly asked?: string | undefined
}

/**
 * The level to log at: the flag, `AEGIS_LOG_LEVEL`, `RUST_LOG` (for habit's sake), the config.
 * A word that is no level is passed over.
 */
export function logLevelOf({ config, env, asked }: LogLevelOptions): LogLevel {
  const wishes = [asked, env.AEGIS_LOG_LEVEL, env.RUST_LOG]
  const wish = wishes.map((one) => one?.toLowerCase()).find((one) => one && levels.includes(one))
  return (wish as LogLevel | undefined) ?? config.spec.observability.logging.level
}
