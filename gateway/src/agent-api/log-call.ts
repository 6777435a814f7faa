import type { Logger } from '@aegis/core'
import { describeFault } from '../llm-fault.ts'
import type { AttemptLog } from '../selection/try-candidates.ts'
import type { AgentRequest } from './agent-request.ts'

/** One line a call: who asked whom, and how it ended; never what was said. */
export function logCall(
  logger: Logger,
  { identity, signal }: AgentRequest,
  alias: string,
  { candidate, attempts }: AttemptLog,
  error?: unknown,
): void {
  const fields = {
    executionId: identity.executionId,
    agent: identity.agentName,
    alias,
    provider: candidate?.provider.name,
    model: candidate?.model.model,
    attempts,
  }
  if (error === undefined) logger.debug(fields, 'llm call answered')
  else if (signal.aborted) logger.debug(fields, 'llm call given up by the agent')
  else {
    const { status, code, message } = describeFault(error)
    // A bug has no words for the agent; the log gets its stack.
    const cause = code === 'internal' ? { err: error } : {}
    logger.warn({ ...fields, status, code, reason: message, ...cause }, 'llm call failed')
  }
}
