import {
  agentActions,
  agentId,
  apiActions,
  type ExecutionEvent,
  lifecycleActions,
  sandboxId,
  secretPlaces,
} from '@aegis/core'
import { z } from 'zod'
import { pinnedImage, pullProgress } from './image-schema.ts'
import { failure, id, instant, isolation, limitCause } from './scalars.ts'

const at = { at: instant }
const iteration = { ...at, iteration: z.int().min(1) }
const sandbox = { sandboxId: z.string().transform(sandboxId) }
const usage = z.object({
  cpuUserMs: z.number(),
  cpuSystemMs: z.number(),
  maxRssBytes: z.number(),
})

const connection = { connection: z.int().min(1), host: z.string(), port: z.int() }

const llmCall = z.object({
  provider: z.string(),
  model: z.string(),
  alias: z.string(),
  prompt: z.string(),
  response: z.string(),
  error: z.string().optional(),
  promptTokens: z.number(),
  completionTokens: z.number(),
  cost: z.number(),
  durationMs: z.number(),
  attempts: z.number(),
})

/** The core's event of an execution, as the `event` of a stream carries it: whole and unchanged. */
export const executionEvent = z.discriminatedUnion('type', [
  z.object({
    ...at,
    type: z.literal('execution.queued'),
    agentId: id.transform(agentId),
    agentName: z.string(),
    agentRevision: z.int().min(1),
    input: z.unknown(),
    priority: z.int(),
    isolation,
    cpuMillicores: z.number(),
    memoryBytes: z.number(),
  }),
  z.object({ ...at, type: z.literal('execution.started') }),
  z.object({ ...at, type: z.literal('execution.image-pulling'), progress: pullProgress }),
  z.object({
    ...at,
    type: z.literal('execution.image-pulled'),
    image: pinnedImage,
    durationMs: z.number(),
  }),
  z.object({
    ...at,
    type: z.literal('execution.interrupted'),
    orderly: z.boolean().optional(),
  }),
  z.object({ ...iteration, type: z.literal('execution.iteration-started'), action: z.string() }),
  z.object({
    ...iteration,
    ...sandbox,
    type: z.literal('execution.sandbox-booted'),
    isolation,
    bootMs: z.number(),
    warm: z.boolean().optional(),
    restored: z.boolean().optional(),
    image: z.string().optional(),
    applicationKernel: z.literal('gvisor').optional(),
    monitor: z.string().optional(),
    bootPhases: z.record(z.string(), z.number()).optional(),
  }),
  z.object({
    ...iteration,
    type: z.literal('execution.console'),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
  }),
  z.object({ ...iteration, type: z.literal('execution.llm-called'), call: llmCall }),
  z.object({
    ...iteration,
    type: z.literal('execution.denied'),
    action: z.enum([...agentActions, ...lifecycleActions, ...apiActions]),
    subject: z.string(),
    reason: z.string(),
    code: z.string().optional(),
    policies: z.array(z.string()).optional(),
    count: z.int().min(1).optional(),
  }),
  z.object({ ...iteration, type: z.literal('execution.name-asked'), name: z.string() }),
  z.object({
    ...iteration,
    ...connection,
    type: z.literal('execution.connecting'),
    address: z.string(),
    via: z.enum(['name', 'proxy', 'address']),
    reading: z.enum(['opaque', 'inspected']),
    policies: z.array(z.string()),
  }),
  z.object({
    ...iteration,
    ...connection,
    type: z.literal('execution.disconnected'),
    bytesOut: z.number(),
    bytesIn: z.number(),
    durationMs: z.number(),
    requests: z.number().optional(),
    cause: z.string().optional(),
  }),
  z.object({
    ...iteration,
    ...connection,
    type: z.literal('execution.secret-used'),
    secret: z.string(),
    place: z.enum(secretPlaces),
    method: z.string(),
    path: z.string(),
    policies: z.array(z.string()),
  }),
  z.object({
    ...iteration,
    ...sandbox,
    type: z.literal('execution.sandbox-terminated'),
    cause: limitCause.optional(),
  }),
  z.object({
    ...iteration,
    type: z.literal('execution.iteration-completed'),
    output: z.string(),
    usage,
  }),
  z.object({
    ...iteration,
    type: z.literal('execution.iteration-failed'),
    output: z.string(),
    failure,
    usage: usage.optional(),
  }),
  z.object({
    ...at,
    type: z.literal('execution.cancel-requested'),
    reason: z.string().optional(),
  }),
  z.object({
    ...at,
    type: z.literal('execution.completed'),
    output: z.string(),
    iterations: z.int().min(0),
  }),
  z.object({ ...at, type: z.literal('execution.failed'), failure, iterations: z.int().min(0) }),
  z.object({ ...at, type: z.literal('execution.cancelled'), reason: z.string().optional() }),
  z.object({ ...at, type: z.literal('execution.timed-out'), failure, iterations: z.int().min(0) }),
]) satisfies z.ZodType<ExecutionEvent>
