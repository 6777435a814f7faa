import { AegisError } from '@aegis/core'
import type { FastifySchemaCompiler } from 'fastify'
import { type ZodType, z } from 'zod'
import { refusal } from './problem.ts'

/** One place of a request that is wrong, and why. */
export interface RequestProblem {
  /** Keys from the outside in, joined by dots; empty for the whole. */
  readonly path: string
  readonly message: string
}

/** Checks each part of a request by its zod schema and says what is wrong in plain words. */
export const validateRequest: FastifySchemaCompiler<ZodType> = ({ schema, httpPart }) => {
  return (data) => {
    const result = schema.safeParse(data, { reportInput: true })
    if (result.success) return { value: result.data }
    const problems = result.error.issues.map((issue) => describe(issue, schema))
    return { error: errorOf(httpPart ?? 'body', problems) }
  }
}

function errorOf(part: string, problems: readonly RequestProblem[]): AegisError {
  const listed = problems.map(({ path, message }) =>
    path === '' ? message : `${path}: ${message}`,
  )
  const text = listed.join('; ')
  const details = { problems }
  switch (part) {
    case 'querystring':
      return refusal('request.query', `The query is not valid: ${text}`, details)
    case 'params':
      return refusal('request.path', `The path is not valid: ${text}`, details)
    case 'headers':
      return refusal('request.headers', `A header is not valid: ${text}`, details)
    default:
      return new AegisError('invalid', 'request.body', `The body is not valid: ${text}`, {
        details,
      })
  }
}

function describe(issue: z.core.$ZodIssue, schema: ZodType): RequestProblem {
  const path = issue.path.map(String).join('.')
  switch (issue.code) {
    case 'unrecognized_keys':
      return { path, message: `${quoted(issue.keys)} is not known${knownKeys(schema, path)}` }
    case 'invalid_type':
      if (issue.input === undefined || (path === '' && issue.input === null)) {
        return { path, message: path === '' ? 'it is missing' : 'is missing' }
      }
      return { path, message: `must be ${article(issue.expected)}` }
    case 'invalid_value':
      return { path, message: `must be one of ${issue.values.map(String).join(', ')}` }
    case 'too_big':
      return { path, message: `must be at most ${issue.maximum}` }
    case 'too_small':
      return { path, message: `must be at least ${issue.minimum}` }
    default:
      return { path, message: issue.message }
  }
}

function knownKeys(schema: unknown, path: string): string {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return knownKeys(schema.unwrap(), path)
  }
  if (path !== '' || !(schema instanceof z.ZodObject)) return ''
  const keys = Object.keys(schema.shape)
  return keys.length === 0 ? '; nothing is taken here' : `; known: ${keys.join(', ')}`
}

const quoted = (keys: readonly string[]): string =>
  keys.map((key) => JSON.stringify(key)).join(', ')

const article = (expected: string): string =>
  expected === 'int'
    ? 'a whole number'
    : /^[aeiou]/.test(expected)
      ? `an ${expected}`
      : `a ${expected}`
