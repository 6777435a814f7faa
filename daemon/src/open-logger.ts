import type { Logger } from '@aegis/core'
import { destination, pino } from 'pino'
import { type LogLevelOptions, logLevelOf } from './log-level.ts'
import { textLines } from './text-lines.ts'

/**
 * Lines of JSON or text, to the configured file or to stderr; written at once, so that a crash
 * loses none.
 */
export function openLogger(options: LogLevelOptions): Logger {
  const { file, format } = options.config.spec.observability.logging
  const target = destination({ dest: file ?? 2, sync: true, mkdir: true })
  return pino(
    { level: logLevelOf(options), base: null, timestamp: pino.stdTimeFunctions.isoTime },
    format === 'json' ? target : textLines((line) => target.write(line)),
  )
}
