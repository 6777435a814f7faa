import type { AgentEvent } from '../agent/agent-event.ts'
import type { ExecutionEvent, Failure } from '../execution/execution-event.ts'
import { canonicalJson } from '../kernel/canonical-json.ts'
import type { AuditEntry } from './audit-entry.ts'
import { hashText } from './hash-text.ts'
import type { Sha256 } from './merkle-hash.ts'

export interface AuditOfOptions {
  readonly sha256: Sha256
  /** Keep prompts and answers of models beside their hashes. */
  readonly texts: boolean
}

/** Whom an event is about. */
export interface AuditSubject {
  readonly agentId: string | undefined
  readonly executionId?: string | undefined
}

/** The entry that goes with an event; undefined for one that needs no proof. */
export type AuditOf = (
  event: AgentEvent | ExecutionEvent,
  subject: AuditSubject,
) => AuditEntry | undefined

/**
 * What of events is audited. Inputs, prompts, answers and outputs stand there as hashes, so that a
 * text which somebody has can be shown to be the one, and a text that was removed is gone.
 */
export function makeAuditOf({ sha256, texts }: AuditOfOptions): AuditOf {
  const text = (value: string): string => hashText(value, sha256)
  const json = (value: unknown): string => hashText(canonicalJson(value), sha256)

  /** undefined: not audited. */
  const dataOf = (event: AgentEvent | ExecutionEvent): AuditEntry['data'] | undefined => {
    switch (event.type) {
      case 'agent.deployed':
      case 'agent.updated': {
        const { manifest, revision, image } = event
        const { name, version } = manifest.metadata
        return { name, version, revision, manifest: json(manifest), image }
      }
      case 'execution.queued': {
        const { type, at, agentId, input, ...rest } = event
        return { ...rest, input: json(input) }
      }
      case 'execution.iteration-started':
        return { iteration: event.iteration, action: text(event.action) }
      case 'execution.llm-called': {
        const { prompt, response, error, ...rest } = event.call
        return {
          iteration: event.iteration,
          ...rest,
          prompt: text(prompt),
          response: text(response),
          ...(error !== undefined && { failed: true }),
          ...(texts && { promptText: prompt, responseText: response, error }),
        }
      }
      case 'execution.iteration-completed':
        return { iteration: event.iteration, output: text(event.output), usage: event.usage }
      case 'execution.iteration-failed': {
        const { iteration, output, failure, usage } = event
        return { iteration, output: text(output), ...causeOf(failure), usage }
      }
      case 'execution.completed':
        return { iterations: event.iterations, output: text(event.output) }
      case 'execution.failed':
      case 'execution.timed-out':
        return { iterations: event.iterations, ...causeOf(event.failure) }
      case 'execution.image-pulling':
      case 'execution.console':
        return undefined
      default: {
        const { type, at, ...rest } = event
        return rest
      }
    }
  }

  return (event, { agentId, executionId }) => {
    const data = dataOf(event)
    return data && { at: event.at, type: event.type, agentId, executionId, data }
  }
}

/** Without its message, which may quote what the agent wrote. */
const causeOf = ({ cause, exitCode, signal }: Failure) => ({ cause, exitCode, signal })
