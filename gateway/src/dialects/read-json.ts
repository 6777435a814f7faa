import type { z } from 'zod'
import { llmFault } from '../llm-fault.ts'

/** Parses one frame of a provider's stream. @throws AegisError `unavailable` / `llm.protocol` */
export function readJson(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Answered below: what was not JSON is not worth repeating.
  }
  throw llmFault('unavailable', 'llm.protocol', 'The provider sent a frame that is not JSON.')
}

/** @throws AegisError `unavailable` / `llm.protocol` naming the field at fault */
export function readReply<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues[0]?.path.join('.') || 'body'
  throw llmFault(
    'unavailable',
    'llm.protocol',
    `The provider's answer is not what its protocol says, at ${where}; ` +
      'the operator checks the type and the endpoint of the provider in the node config.',
    { retryable: true },
  )
}
