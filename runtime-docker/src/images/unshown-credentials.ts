import { AegisError } from '@aegis/core'

/**
 * Credentials that cannot be read are no reason not to pull what is public: `problem` is spoken of when the
 * registry refuses whoever shows none.
 */
export function withProblem(error: AegisError, problem: AegisError | undefined): AegisError {
  if (problem === undefined || error.code !== 'image.access') return error
  const message = `${error.message}. The host's own credentials were not shown: ${problem.message}`
  return new AegisError(error.kind, error.code, message, { cause: problem })
}
