import type { EgressPlan } from '../egress/egress-plan.ts'
import type { AgentPolicy } from '../policy/policy-engine.ts'
import type { ExecutionSecret } from '../secret/secret-vault.ts'
import type {
  AccessDenial,
  ConnectionEnd,
  ConnectionStart,
  LlmCall,
  SecretUse,
} from './execution-event.ts'

/** Who calls the gateway: known from the stream the call arrived on, never from what it says. */
export interface SandboxIdentity {
  readonly executionId: string
  readonly agentId: string
  readonly agentName: string
  readonly iteration: number
  /** Alias used where a request names no model. */
  readonly defaultModel: string
  readonly temperature?: number | undefined
  readonly policy: AgentPolicy
  readonly egress: EgressPlan
  /** What it may use without ever seeing it. */
  readonly secrets: readonly ExecutionSecret[]
}

/** How the gateway reports; the execution turns reports into events. */
export interface GatewayRecorder {
  /** Durable when it resolves; the gateway awaits it before the agent sees the end of the answer. */
  llmCalled(call: LlmCall): Promise<void>
  /** A flood of equal denials is counted by the caller, not reported one by one. */
  denied(denial: AccessDenial): Promise<void>
  /** Durable when it resolves; not a byte is sent, and nothing dialled, before it has. */
  connecting(connection: ConnectionStart): Promise<void>
  disconnected(connection: ConnectionEnd): Promise<void>
  /** Durable when it resolves; the secret is not sent before it has. */
  secretUsed(use: SecretUse): Promise<void>
}
