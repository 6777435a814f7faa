import { AegisError, type ErrorKind } from '@aegis/core'
import { isErrorKind, type Problem, problem, statusByKind } from '@aegis/http-contract'

/** The AegisError behind an answer that is none: the node's own, or one made from the status. */
export async function readProblem(response: Response): Promise<AegisError> {
  const body: unknown = await response.json().catch(() => undefined)
  const parsed = problem.safeParse(body)
  if (parsed.success) return errorOf(parsed.data)
  return new AegisError(
    kindOfStatus(response.status),
    'node.http-status',
    `${new URL(response.url).origin} answered ${response.status} ${response.statusText}. Check that an AEGIS node listens there.`,
    { details: { status: response.status } },
  )
}

/** Undoes what the node did to its error, so that a caller cannot tell the two apart. */
export function errorOf(from: Problem): AegisError {
  const kind =
    from.kind !== undefined && isErrorKind(from.kind) ? from.kind : kindOfStatus(from.status)
  return new AegisError(kind, from.code, from.detail, {
    details: {
      ...from.details,
      ...(from.problems === undefined ? {} : { problems: from.problems }),
    },
  })
}

/** `fetch` reports every failure to connect, send or read as a TypeError. */
export const isNetworkFailure = (error: unknown): error is TypeError => error instanceof TypeError

function kindOfStatus(status: number): ErrorKind {
  for (const [kind, known] of Object.entries(statusByKind)) {
    if (known === status && isErrorKind(kind)) return kind
  }
  return status >= 400 && status < 500 ? 'invalid' : 'unavailable'
}
