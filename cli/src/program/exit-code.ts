import type { ErrorKind } from '@aegis/core'

/** What `aegis` tells the shell. Listed in docs/reference/cli.md. */
export const exitCodes = {
  success: 0,
  general: 1,
  /** Wrong flags, arguments, manifest, configuration or input. */
  usage: 2,
  daemonAbsent: 3,
  /** No such agent, execution, image or token. */
  notFound: 4,
  /** The execution that was waited for failed, timed out or was cancelled. */
  executionFailed: 5,
  /** What was asked about would be denied by a policy. */
  denied: 6,
  /** Ctrl-C, as every shell reports it: 128 + SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The one map from what went wrong to the exit code. */
export function exitCodeOf(failure: { readonly kind: ErrorKind; readonly code: string }): ExitCode {
  switch (failure.kind) {
    case 'invalid':
      return exitCodes.usage
    case 'not-found':
      return exitCodes.notFound
    case 'unavailable':
      return daemonAbsentCodes.has(failure.code) ? exitCodes.daemonAbsent : exitCodes.general
    case 'unauthenticated':
    case 'denied':
    case 'conflict':
    case 'exhausted':
    case 'unsupported':
    case 'timeout':
    case 'cancelled':
      return exitCodes.general
  }
}

const daemonAbsentCodes: ReadonlySet<string> = new Set([
  'daemon.absent',
  'daemon.unhealthy',
  'node.unreachable',
])
