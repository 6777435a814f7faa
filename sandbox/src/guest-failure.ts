import { AegisError, type ErrorKind, type LimitCause } from '@aegis/core'
import type { CloseReason } from './wire/messages.ts'

type Reason = NonNullable<CloseReason>

/** What every method says once the session is over. */
export function sessionEnded(cause: LimitCause | undefined): AegisError {
  const because = cause === undefined ? 'it was disposed' : `its end was ${cause}`
  return new AegisError('unavailable', 'sandbox.ended', `The sandbox no longer runs: ${because}`, {
    details: { cause },
  })
}

/** Why a machine is not ready for a snapshot. */
export function notQuiet({ step, errno }: Reason): AegisError {
  return new AegisError(
    'conflict',
    'guest.busy',
    `The machine did not come to rest for a snapshot (${step}: ${errno}); let no more than one command run, and let it wait for its first input`,
    { details: { step, errno } },
  )
}

/** What `connectGuest` says when the session ended before it began. */
export function neverReady(cause: LimitCause | undefined, failure: Error | undefined): AegisError {
  return new AegisError(
    'unavailable',
    'guest.lost',
    `The sandbox ended before it was ready (${cause ?? 'closed'})${failure ? `: ${failure.message}` : ''}`,
    { details: { cause }, ...(failure && { cause: failure }) },
  )
}

const outOfResources = new Set(['EAGAIN', 'ENOMEM', 'ENFILE', 'EMFILE'])

/** Why a command did not start. */
export function startFailure(
  argv: readonly [string, ...string[]],
  cwd: string,
  { step, errno }: Reason,
): AegisError {
  const details = { step, errno, argv0: argv[0], cwd }
  const fail = (kind: ErrorKind, code: string, message: string) =>
    new AegisError(kind, code, message, { details })
  if (outOfResources.has(errno))
    return fail(
      'exhausted',
      'exec.resources',
      `The sandbox could not start "${argv[0]}": ${errno}; raise its process or memory limit`,
    )
  if (step === 'chdir')
    return fail(
      'invalid',
      'exec.directory',
      `The sandbox has no usable directory ${cwd} (${errno})`,
    )
  if (step !== 'exec')
    return fail(
      'unavailable',
      'exec.setup',
      `The sandbox could not set "${argv[0]}" up: ${step} ${errno}`,
    )
  if (errno === 'ENOENT' || errno === 'ENOTDIR')
    return fail(
      'not-found',
      'exec.not-found',
      `Command not found: "${argv[0]}"; give its full path, or a name that stands in PATH`,
    )
  if (errno === 'E2BIG')
    return fail(
      'invalid',
      'exec.too-large',
      `The arguments and environment of "${argv[0]}" are too large (128 KiB each at most); use standard input`,
    )
  return fail('invalid', 'exec.refused', `The sandbox cannot execute "${argv[0]}" (${errno})`)
}

/** Why a file did not get in or out. */
export function fileFailure(
  verb: 'write' | 'read',
  path: string,
  { step, errno }: Reason,
): AegisError {
  const details = { step, errno, path }
  const fail = (kind: ErrorKind, code: string, message: string) =>
    new AegisError(kind, code, message, { details })
  switch (errno) {
    case 'ENOENT':
      return fail('not-found', 'file.not-found', `The sandbox has no file ${path}`)
    case 'ENOSPC':
    case 'EDQUOT':
      return fail(
        'exhausted',
        'file.disk-full',
        `No room for ${path}; raise the sandbox's disk limit`,
      )
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return fail('denied', 'file.denied', `The sandbox may not ${verb} ${path} (${errno})`)
    case 'EISDIR':
    case 'ENOTDIR':
    case 'EINVAL':
      return fail(
        'invalid',
        'file.kind',
        `${path} is no regular file that can be ${verb === 'read' ? 'read' : 'written'} (${errno})`,
      )
    default:
      return fail(
        'unavailable',
        'file.failed',
        `The sandbox could not ${verb} ${path}: ${step} ${errno}`,
      )
  }
}

export function fileTooLarge(path: string, limitBytes: number): AegisError {
  return new AegisError(
    'exhausted',
    'file.too-large',
    `${path} is larger than ${limitBytes} bytes`,
    {
      details: { path, limitBytes },
    },
  )
}
