import type { SandboxIdentity } from '../execution/gateway-recorder.ts'
import { openPolicy } from './open-policies.ts'

/** An execution that may reach nothing but its models, for tests, with some of it changed. */
export const anIdentity = (changes: Partial<SandboxIdentity> = {}): SandboxIdentity => ({
  executionId: 'execution-1',
  agentId: 'agent-1',
  agentName: 'tester',
  iteration: 1,
  defaultModel: 'default',
  policy: openPolicy,
  egress: {
    mode: 'none',
    rules: [],
    opaque: [],
    reachableRanges: [],
    limits: {
      connections: 128,
      connectionsPerMinute: 3000,
      bytesOut: 2 ** 30,
      bytesIn: 2 ** 30,
      hostBytesOut: 2 ** 30,
      hostBytesIn: 2 ** 30,
      idleTimeoutMs: 60_000,
      totalTimeoutMs: 600_000,
    },
  },
  secrets: [],
  ...changes,
})
