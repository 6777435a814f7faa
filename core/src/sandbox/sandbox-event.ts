import type { Instant } from '../kernel/clock.ts'
import type { AgentId, ExecutionId, SandboxId } from '../kernel/ids.ts'
import type { LimitCause, SandboxStats } from './sandbox.ts'
import type { Isolation } from './sandbox-spec.ts'

/**
 * Where a sandbox is in its life. `cold`: it boots; `warm`: it waits for a task; `hot`: it runs
 * one; then it is `terminated`, or `failed` when something else than its owner ended it.
 */
export type SandboxState = 'cold' | 'warm' | 'hot' | 'terminated' | 'failed'

/** One step in the life of a sandbox. Each serves one execution at most. */
export interface SandboxEvent {
  readonly type: `sandbox.${SandboxState}`
  readonly at: Instant
  readonly sandboxId: SandboxId
  readonly isolation: Isolation
  readonly agentId: AgentId
  readonly agentName: string
  /** From `hot` on. */
  readonly executionId?: ExecutionId | undefined
  /** With `failed`: why, in one sentence. */
  readonly reason?: string | undefined
  readonly cause?: LimitCause | undefined
}

/** A sandbox that is there now. */
export interface SandboxStatus {
  readonly id: SandboxId
  readonly isolation: Isolation
  /** What runs the machine that it is; absent while it boots. */
  readonly monitor?: string | undefined
  readonly state: 'cold' | 'warm' | 'hot'
  readonly agentId: AgentId
  readonly agentName: string
  readonly executionId?: ExecutionId | undefined
  /** Since when it is in this state. */
  readonly since: Instant
  /** What it may use. */
  readonly limits: { readonly cpuMillicores: number; readonly memoryBytes: number }
  /** Absent while it boots, and when it did not answer in time. */
  readonly stats?: SandboxStats | undefined
}

/** Counts since the node started. */
export interface SandboxCounts {
  readonly cold: number
  readonly warm: number
  readonly hot: number
  /** In all so far. */
  readonly terminated: number
  readonly failed: number
  /** Executions that found a warm sandbox, got one out of a snapshot, and had to boot one. */
  readonly warmStarts: number
  readonly restoredStarts: number
  readonly coldStarts: number
}
