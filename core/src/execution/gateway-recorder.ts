import type { LlmCall } from './execution-event.ts'

/** Who calls the gateway: known from the stream the call arrived on, never from what it says. */
export interface SandboxIdentity {
  readonly executionId: string
  readonly agentId: string
  readonly agentName: string
  readonly iteration: number
  /** Alias used where a request names no model. */
  readonly defaultModel: string
  readonly temperature?: number | undefined
}

/** How the gateway reports; the execution turns reports into events. */
export interface GatewayRecorder {
  /** Durable when it resolves; the gateway awaits it before the agent sees the end of the answer. */
  llmCalled(call: LlmCall): Promise<void>
  denied(action: 'network.connect' | 'llm.generate', subject: string, reason: string): Promise<void>
}
