import {
  agentId,
  type ExecutionDetail,
  type ExecutionSummary,
  executionId,
  type Failure,
  type IterationDetail,
} from '@aegis/core'
import { z } from 'zod'
import { executionStatus, failure, id, instant, isolation } from './scalars.ts'

/** `POST /api/agents/:ref/execute` */
export const executionStarted = z.object({ execution_id: id })

/** `POST /api/executions/:id/cancel` */
export const cancelled = z.object({ success: z.literal(true), status: executionStatus })

/** An entry of `GET /api/executions`. */
export const executionSummary = z.object({
  id,
  agent_id: id,
  agent_name: z.string(),
  agent_revision: z.int().min(1),
  status: executionStatus,
  priority: z.int(),
  isolation,
  queued_at: instant,
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  iterations: z.int().min(0),
  interruptions: z.int().min(0),
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
  cost: z.number(),
  failure: z
    .object({
      cause: z.string(),
      message: z.string(),
      exit_code: z.int().nullable(),
      signal: z.string().nullable(),
    })
    .nullable(),
})

export const executionSummaries = z.array(executionSummary)

const iterationDetail = z.object({
  number: z.int().min(1),
  status: z.enum(['running', 'success', 'failed']),
  output: z.string().nullable(),
  error: z.string().nullable(),
  started_at: instant,
  ended_at: instant.nullable(),
})

/** `GET /api/executions/:id` */
export const executionDetail = executionSummary.extend({
  input: z.unknown(),
  output: z.string().nullable(),
  iteration_details: z.array(iterationDetail),
})

export type ExecutionSummaryWire = z.infer<typeof executionSummary>
export type ExecutionDetailWire = z.infer<typeof executionDetail>
type IterationWire = z.infer<typeof iterationDetail>
type FailureWire = NonNullable<ExecutionSummaryWire['failure']>

export const executionSummaryToWire = (summary: ExecutionSummary): ExecutionSummaryWire => ({
  id: summary.id,
  agent_id: summary.agentId,
  agent_name: summary.agentName,
  agent_revision: summary.agentRevision,
  status: summary.status,
  priority: summary.priority,
  isolation: summary.isolation,
  queued_at: summary.queuedAt,
  started_at: summary.startedAt ?? null,
  ended_at: summary.endedAt ?? null,
  iterations: summary.iterations,
  interruptions: summary.interruptions,
  prompt_tokens: summary.promptTokens,
  completion_tokens: summary.completionTokens,
  cost: summary.cost,
  failure: summary.failure === undefined ? null : failureToWire(summary.failure),
})

export const executionSummaryFromWire = (wire: ExecutionSummaryWire): ExecutionSummary => ({
  id: executionId(wire.id),
  agentId: agentId(wire.agent_id),
  agentName: wire.agent_name,
  agentRevision: wire.agent_revision,
  status: wire.status,
  priority: wire.priority,
  isolation: wire.isolation,
  queuedAt: wire.queued_at,
  startedAt: wire.started_at ?? undefined,
  endedAt: wire.ended_at ?? undefined,
  iterations: wire.iterations,
  interruptions: wire.interruptions,
  promptTokens: wire.prompt_tokens,
  completionTokens: wire.completion_tokens,
  cost: wire.cost,
  failure: wire.failure === null ? undefined : failureFromWire(wire.failure),
})

export const executionDetailToWire = (detail: ExecutionDetail): ExecutionDetailWire => ({
  ...executionSummaryToWire(detail),
  input: detail.input,
  output: detail.output ?? null,
  iteration_details: detail.iterationDetails.map(iterationToWire),
})

export const executionDetailFromWire = (wire: ExecutionDetailWire): ExecutionDetail => ({
  ...executionSummaryFromWire(wire),
  input: wire.input,
  output: wire.output ?? undefined,
  iterationDetails: wire.iteration_details.map(iterationFromWire),
})

const iterationToWire = (iteration: IterationDetail): IterationWire => ({
  number: iteration.number,
  status: iteration.status,
  output: iteration.output ?? null,
  error: iteration.error ?? null,
  started_at: iteration.startedAt,
  ended_at: iteration.endedAt ?? null,
})

const iterationFromWire = (wire: IterationWire): IterationDetail => ({
  number: wire.number,
  status: wire.status,
  output: wire.output ?? undefined,
  error: wire.error ?? undefined,
  startedAt: wire.started_at,
  endedAt: wire.ended_at ?? undefined,
})

export const failureToWire = (from: Failure): FailureWire => ({
  cause: from.cause,
  message: from.message,
  exit_code: from.exitCode ?? null,
  signal: from.signal ?? null,
})

const failureFromWire = (wire: FailureWire): Failure =>
  failure.parse({
    cause: wire.cause,
    message: wire.message,
    ...(wire.exit_code === null ? {} : { exitCode: wire.exit_code }),
    ...(wire.signal === null ? {} : { signal: wire.signal }),
  })
