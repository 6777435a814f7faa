import {
  type AgentExecutionEvent,
  type ExecutionEvent,
  type ExecutionId,
  executionId,
  type VersionedEvent,
} from '@aegis/core'
import { z } from 'zod'
import { executionEvent } from './event-schema.ts'
import { id, instant } from './scalars.ts'

/**
 * The `data` of one server-sent event: the keys that the reference's clients read, and besides them
 * `version` and `event`, from which the core's event is rebuilt without loss.
 */
export const streamedEvent = z.looseObject({
  event_type: z.string(),
  timestamp: instant,
  data: z.looseObject({}),
  execution_id: id,
  version: z.int().min(1),
  event: executionEvent,
})

export interface StreamedEventWire {
  readonly event_type: string
  readonly timestamp: string
  readonly data: object
  readonly execution_id: ExecutionId
  readonly version: number
  readonly event: ExecutionEvent
  readonly [extra: string]: unknown
}

export function eventToWire(execution: ExecutionId, versioned: VersionedEvent): StreamedEventWire {
  const { version, event } = versioned
  const { event_type, data, ...extras } = describe(event)
  return {
    event_type,
    timestamp: event.at,
    ...extras,
    data,
    execution_id: execution,
    version,
    event,
  }
}

/** @throws ZodError when the answer is not one of a node this client knows. */
export function eventFromWire(wire: unknown): AgentExecutionEvent {
  const { execution_id, version, event } = streamedEvent.parse(wire)
  return { executionId: executionId(execution_id), version, event }
}

interface Description {
  readonly event_type: string
  readonly data: object
  readonly [extra: string]: unknown
}

function describe(event: ExecutionEvent): Description {
  switch (event.type) {
    case 'execution.queued':
      return { event_type: 'ExecutionQueued', agent_id: event.agentId, data: {} }
    case 'execution.started':
      return { event_type: 'ExecutionStarted', data: {} }
    case 'execution.image-pulling': {
      const { reference, phase, layersDone, layers, downloadedBytes, totalBytes } = event.progress
      return {
        event_type: 'ImagePulling',
        data: {
          reference,
          phase,
          layers_done: layersDone,
          layers,
          downloaded_bytes: downloadedBytes,
          total_bytes: totalBytes,
        },
      }
    }
    case 'execution.image-pulled': {
      const { reference, id, digest } = event.image
      return {
        event_type: 'ImagePulled',
        data: { reference, id, digest: digest ?? null, duration_ms: event.durationMs },
      }
    }
    case 'execution.interrupted':
      return { event_type: 'ExecutionInterrupted', data: {} }
    case 'execution.iteration-started':
      return {
        event_type: 'IterationStarted',
        iteration_number: event.iteration,
        action: event.action,
        data: { action: event.action },
      }
    case 'execution.sandbox-booted':
      return {
        event_type: 'SandboxBooted',
        iteration_number: event.iteration,
        data: {
          sandbox_id: event.sandboxId,
          isolation: event.isolation,
          boot_ms: event.bootMs,
          warm: event.warm ?? false,
          restored: event.restored ?? false,
          image: event.image ?? null,
          application_kernel: event.applicationKernel ?? null,
          monitor: event.monitor ?? null,
          boot_phases: event.bootPhases ?? {},
        },
      }
    case 'execution.console':
      return {
        event_type: 'ConsoleOutput',
        iteration_number: event.iteration,
        stream: event.stream,
        data: { output: event.text },
      }
    case 'execution.llm-called': {
      const { provider, model, prompt, response } = event.call
      return {
        event_type: 'LlmInteraction',
        iteration_number: event.iteration,
        data: { provider, model, prompt, response },
      }
    }
    case 'execution.denied':
      return {
        event_type: 'AccessDenied',
        iteration_number: event.iteration,
        data: { action: event.action, subject: event.subject, reason: event.reason },
      }
    case 'execution.name-asked':
      return {
        event_type: 'NameAsked',
        iteration_number: event.iteration,
        data: { name: event.name },
      }
    case 'execution.connecting': {
      const { connection, host, port, address, via, reading, policies } = event
      return {
        event_type: 'Connecting',
        iteration_number: event.iteration,
        data: { connection, host, port, address, via, reading, policies },
      }
    }
    case 'execution.disconnected': {
      const { connection, host, port, bytesOut, bytesIn, durationMs, cause } = event
      return {
        event_type: 'Disconnected',
        iteration_number: event.iteration,
        data: {
          connection,
          host,
          port,
          bytes_out: bytesOut,
          bytes_in: bytesIn,
          duration_ms: durationMs,
          cause: cause ?? null,
        },
      }
    }
    case 'execution.secret-used': {
      const { secret, connection, host, port, place, method, path } = event
      return {
        event_type: 'SecretUsed',
        iteration_number: event.iteration,
        data: { secret, connection, host, port, place, method, path },
      }
    }
    case 'execution.sandbox-terminated':
      return {
        event_type: 'SandboxTerminated',
        iteration_number: event.iteration,
        data: { sandbox_id: event.sandboxId, cause: event.cause ?? null },
      }
    case 'execution.iteration-completed':
      return {
        event_type: 'IterationCompleted',
        iteration_number: event.iteration,
        data: { output: event.output },
      }
    case 'execution.iteration-failed':
      return {
        event_type: 'IterationFailed',
        iteration_number: event.iteration,
        data: { error: event.failure.message },
      }
    case 'execution.cancel-requested':
      return { event_type: 'CancelRequested', data: { reason: event.reason ?? null } }
    case 'execution.completed':
      return {
        event_type: 'ExecutionCompleted',
        total_iterations: event.iterations,
        data: { result: event.output },
      }
    case 'execution.failed':
      return {
        event_type: 'ExecutionFailed',
        total_iterations: event.iterations,
        reason: event.failure.message,
        data: { error: event.failure.message },
      }
    case 'execution.cancelled':
      return { event_type: 'ExecutionCancelled', data: { reason: event.reason ?? null } }
    case 'execution.timed-out':
      return {
        event_type: 'ExecutionTimedOut',
        total_iterations: event.iterations,
        reason: event.failure.message,
        data: { error: event.failure.message },
      }
  }
}
