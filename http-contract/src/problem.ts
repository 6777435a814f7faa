import type { ErrorKind } from '@aegis/core'
import { z } from 'zod'

/**
 * The body of every error answer: RFC 9457, with the error's `kind` and `code`, and the `error`
 * string that clients of the reference read.
 */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  kind: z.string().optional(),
  code: z.string(),
  error: z.string(),
  /** What is wrong where, when the input was refused. */
  problems: z.array(z.unknown()).optional(),
  details: z.record(z.string(), z.unknown()).optional(),
})

export type Problem = z.infer<typeof problem>

/** The one map from what a caller can do about an error to the status of the answer. */
export const statusByKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 422,
  unauthenticated: 401,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  exhausted: 429,
  unsupported: 501,
  unavailable: 503,
  timeout: 504,
  cancelled: 499, // nginx's "client closed request": nobody is there to read it.
}

/** Whether a word is one of the kinds this client knows. */
export const isErrorKind = (word: string): word is ErrorKind => Object.hasOwn(statusByKind, word)
