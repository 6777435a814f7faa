import { AegisError } from '@aegis/core'
import type { z } from 'zod'

/** @throws AegisError `invalid` / `llm.request` that names each field at fault */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => {
    const where = path.length === 0 ? 'body' : path.join('.')
    return `${where}: ${message}`
  })
  throw new AegisError('invalid', 'llm.request', `The request is malformed: ${faults.join('; ')}`)
}
