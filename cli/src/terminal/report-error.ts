import type { ErrorKind } from '@aegis/core'
import { type ExitCode, exitCodeOf, exitCodes } from '../program/exit-code.ts'
import { sanitise } from './sanitise.ts'
import type { Terminal } from './terminal.ts'

/** What the user reads when a command fails. */
export interface FailureReport {
  readonly exitCode: ExitCode
  readonly code: string
  /** What happened and where; may have several lines. */
  readonly message: string
  /** What to do next. */
  readonly help?: string | undefined
  /** For programs: where exactly, in a form to work with. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** Tells an error that somebody can act on from a bug. */
export function describeError(error: unknown): FailureReport {
  if (isAegisError(error)) {
    const { help, ...details } = error.details
    return {
      exitCode: exitCodeOf(error),
      code: error.code,
      message: error.message,
      help: typeof help === 'string' ? help : undefined,
      details: Object.keys(details).length > 0 ? details : undefined,
    }
  }
  return {
    exitCode: exitCodes.general,
    code: 'internal',
    message: `this is a bug in aegis: ${error instanceof Error ? error.message : String(error)}`,
    help: 'run it again with --log-level debug to see where it happened, and report it',
  }
}

/** Writes `error:` and `help:` lines to stderr, or one JSON object. */
export function reportFailure(terminal: Terminal, report: FailureReport): void {
  const { code, message, help, details, exitCode } = report
  if (terminal.json) {
    terminal.noteItem({ error: message, code, help, exit_code: exitCode, details })
    return
  }
  terminal.note(`${terminal.noteStyle.bad('error:')} ${sanitise(message)}`)
  if (help !== undefined) terminal.note(`${terminal.noteStyle.accent('help:')} ${sanitise(help)}`)
}

interface AegisErrorShape extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
}

// By its shape: loading the class would load the whole domain, which `--help` has no use for.
function isAegisError(error: unknown): error is AegisErrorShape {
  return error instanceof Error && error.name === 'AegisError' && 'kind' in error
}
