import {
  type AgentEvent,
  type AgentId,
  agentId,
  type ExecutionEvent,
  type ExecutionId,
  executionId,
  type StreamId,
} from '@aegis/core'
import { aManifest } from '@aegis/core/testing'

export const at = '2026-11-22T15:04:05.123Z'

export const anAgentId = (number: number): AgentId =>
  agentId(`a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`)

export const anExecutionId = (number: number): ExecutionId =>
  executionId(`e0000000-0000-4000-8000-${String(number).padStart(12, '0')}`)

export const agentStream = (id: AgentId): StreamId => `agent-${id}`
export const executionStream = (id: ExecutionId): StreamId => `execution-${id}`

export const deployed = (name: string, revision = 1, version = '1.0.0'): AgentEvent => ({
  type: 'agent.deployed',
  manifest: aManifest(name, { version }),
  revision,
  at,
})

export const updated = (name: string, revision: number, version = '1.0.1'): AgentEvent => ({
  type: 'agent.updated',
  manifest: aManifest(name, { version }),
  revision,
  at,
})

export const queued = (agent: AgentId, priority = 0): ExecutionEvent => ({
  type: 'execution.queued',
  agentId: agent,
  agentName: 'echo',
  agentRevision: 1,
  input: { text: 'Hello' },
  priority,
  isolation: 'process',
  cpuMillicores: 250,
  memoryBytes: 134_217_728,
  at,
})

export const started: ExecutionEvent = { type: 'execution.started', at }
export const interrupted: ExecutionEvent = { type: 'execution.interrupted', at }

export const iterationStarted = (iteration: number): ExecutionEvent => ({
  type: 'execution.iteration-started',
  iteration,
  action: 'Say hello',
  at,
})

export const printed = (text: string): ExecutionEvent => ({
  type: 'execution.console',
  iteration: 1,
  stream: 'stdout',
  text,
  at,
})

export const llmCalled = (promptTokens: number, completionTokens: number): ExecutionEvent => ({
  type: 'execution.llm-called',
  iteration: 1,
  call: {
    provider: 'offline',
    model: 'scripted',
    alias: 'default',
    prompt: 'Hi',
    response: 'Hello',
    promptTokens,
    completionTokens,
    cost: 0.25,
    durationMs: 3,
    attempts: 1,
  },
  at,
})

export const completed: ExecutionEvent = {
  type: 'execution.completed',
  output: 'Hello',
  iterations: 1,
  at,
}

export const failed: ExecutionEvent = {
  type: 'execution.failed',
  failure: { cause: 'exit_code', message: 'The agent ended with code 3.', exitCode: 3 },
  iterations: 2,
  at,
}

export const timedOut: ExecutionEvent = {
  type: 'execution.timed-out',
  failure: { cause: 'time_limit', message: 'The agent took longer than 60 s.' },
  iterations: 1,
  at,
}

export const cancelled: ExecutionEvent = { type: 'execution.cancelled', at }
