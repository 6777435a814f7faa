import type { NetworkRule } from '../agent/network-rule.ts'

/** What an agent may reach, and how much of it. The policy decides; this says how it is done. */
export interface EgressPlan {
  readonly mode: 'none' | 'allow' | 'deny'
  /** What the manifest permits, in its order; a rule with `http` wants its requests read. */
  readonly rules: readonly NetworkRule[]
  /** Hosts whose TLS passes unread although the agent has secrets. */
  readonly opaque: readonly NetworkRule[]
  /** Ranges beyond the public ones that a rule with an address range may reach. */
  readonly reachableRanges: readonly string[]
  readonly limits: EgressLimits
}

/** Budgets of one iteration. Beyond one, connections are refused or cut, with the reason. */
export interface EgressLimits {
  /** Connections open at a time. */
  readonly connections: number
  /** Connections opened in any 60 seconds. */
  readonly connectionsPerMinute: number
  /** Bytes that leave the sandbox, all connections together. */
  readonly bytesOut: number
  /** Bytes that enter it, all connections together. */
  readonly bytesIn: number
  /** The same for each host by itself. */
  readonly hostBytesOut: number
  readonly hostBytesIn: number
  /** Bytes a second and direction, all connections together; absent: no limit. */
  readonly bytesPerSecond?: number | undefined
  /** A connection on which nothing moves this long is closed. */
  readonly idleTimeoutMs: number
  /** No connection lives longer. */
  readonly totalTimeoutMs: number
}
