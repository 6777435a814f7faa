import type { ExecutionStatus, Failure, FailureCause, Isolation } from '@aegis/core'
import { z } from 'zod'

/** An agent's or an execution's id: a lower-case UUID (RFC 9562). */
export const id = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be a UUID in lower case')

/** RFC 3339 in UTC. */
export const instant = z.iso.datetime()

export const labels = z.record(z.string(), z.string()).readonly()

export const isolation: z.ZodType<Isolation, Isolation> = z.enum([
  'process',
  'docker',
  'firecracker',
])

export const executionStatus: z.ZodType<ExecutionStatus, ExecutionStatus> = z.enum([
  'pending',
  'queued',
  'running',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
])

export const limitCause = z.enum([
  'memory_limit',
  'pids_limit',
  'disk_limit',
  'output_limit',
  'time_limit',
  'protocol_violation',
  'guest_unresponsive',
  'sandbox_lost',
])

const failureCause: z.ZodType<FailureCause, FailureCause> = z.enum([
  ...limitCause.options,
  'exit_code',
  'empty_output',
  'boot_failed',
  'reseed_failed',
  'image_failed',
  'command_not_started',
  'denied',
  'prompt_failed',
  'unsupported',
  'interrupted',
  'internal',
])

/** Why something failed, in the words of the core. */
export const failure: z.ZodType<Failure, Failure> = z.object({
  cause: failureCause,
  message: z.string(),
  exitCode: z.int().optional(),
  signal: z.string().optional(),
})

/** What the reference answers where there is nothing else to say. */
export const success = z.object({ success: z.literal(true) })
