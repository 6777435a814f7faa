import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessDenial, GatewayRecorder, SandboxIdentity } from '@aegis/core'

/** One request of an agent, and who the agent is. */
export interface AgentRequest {
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  /** Records a refusal. Never throws. */
  readonly deny: (denial: AccessDenial) => void
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** Of the URL, without the query. */
  readonly path: string
  /** Aborted when the agent hangs up or its sandbox ends. */
  readonly signal: AbortSignal
}

/** Answers one request. What it throws before it answered is answered in the route's dialect. */
export type AgentRequestHandler = (request: AgentRequest) => Promise<void>
