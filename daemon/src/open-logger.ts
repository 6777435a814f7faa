import { dirname } from 'node:path'
import { AegisError, type Logger } from '@aegis/core'
import { destination, pino } from 'pino'
import { type LogLevelOptions, logLevelOf } from './log-level.ts'
import { makeDirectories } from './make-directories.ts'
import { textLines } from './text-lines.ts'

/**
 * Lines of JSON or text, to the configured file or to stderr; written at once, so that a crash
 * loses none.
 * @throws AegisError `invalid` / `config.log-file` it cannot be written
 */
export function openLogger(options: LogLevelOptions): Logger {
  const { file, format } = options.config.spec.observability.logging
  const target = file === undefined ? destination({ dest: 2, sync: true }) : logFile(file)
  return pino(
    { level: logLevelOf(options), base: null, timestamp: pino.stdTimeFunctions.isoTime },
    format === 'json' ? target : textLines((line) => target.write(line)),
  )
}

function logFile(path: string): ReturnType<typeof destination> {
  try {
    makeDirectories(dirname(path))
    return destination({ dest: path, sync: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError(
      'invalid',
      'config.log-file',
      `spec.observability.logging.file names ${path}, which cannot be written: ${reason}. Mend the path, or leave the key out.`,
      { cause },
    )
  }
}
