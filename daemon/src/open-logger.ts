import type { Logger, NodeConfig } from '@aegis/core'
import { destination, pino } from 'pino'
import { textLines } from './text-lines.ts'

export type LogLevel = NodeConfig['spec']['observability']['logging']['level']

const levels: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'] satisfies LogLevel[]

interface Options {
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  /** From `--log-level`; it wins. */
  readonly asked?: string | undefined
}

/**
 * The level to log at: the flag, `AEGIS_LOG_LEVEL`, `RUST_LOG` (for habit's sake), the config.
 * A word that is no level is passed over.
 */
export function logLevelOf({ config, env, asked }: Options): LogLevel {
  const wishes = [asked, env.AEGIS_LOG_LEVEL, env.RUST_LOG]
  const wish = wishes.map((one) => one?.toLowerCase()).find((one) => one && levels.includes(one))
  return (wish as LogLevel | undefined) ?? config.spec.observability.logging.level
}

/**
 * Lines of JSON or text, to the configured file or to stderr; written at once, so that a crash
 * loses none.
 */
export function openLogger(options: Options): Logger {
  const { file, format } = options.config.spec.observability.logging
  const target = destination({ dest: file ?? 2, sync: true, mkdir: true })
  return pino(
    { level: logLevelOf(options), base: null, timestamp: pino.stdTimeFunctions.isoTime },
    format === 'json' ? target : textLines((line) => target.write(line)),
  )
}
