import { AegisError, type ExecutionControl, executionId } from '@aegis/core'
import {
  cancelled,
  executionDetail,
  executionDetailFromWire,
  executionStarted,
  executionSummaries,
  executionSummaryFromWire,
  success,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { agentPath, agentRef, executionPath } from './paths.ts'
import { readEvent } from './read-event.ts'
import { type Reconnect, resumeStream } from './resume-stream.ts'

export function makeExecutionClient(
  transport: HttpTransport,
  reconnect: Reconnect,
): ExecutionControl {
  return {
    async execute(agent, input, options = {}) {
      const path = `${await agentPath(transport, agent)}/execute`
      const body = { input: input ?? null, ...options }
      const answer = await transport.call({ method: 'POST', path, body }, executionStarted)
      return executionId(answer.execution_id)
    },
    async find(id) {
      const path = executionPath(id)
      return executionDetailFromWire(await transport.call({ method: 'GET', path }, executionDetail))
    },
    async list({ agentRef: agent, status, limit }) {
      const query = { agent_id: agent === undefined ? undefined : agentRef(agent), status, limit }
      const call = { method: 'GET', path: '/executions', query } as const
      return (await transport.call(call, executionSummaries)).map(executionSummaryFromWire)
    },
    async *events(id, { after = 0, follow = false }, signal) {
      if (signal.aborted) return
      const call = { path: `${executionPath(id)}/events`, query: { after, follow }, signal }
      let version = after
      for await (const message of resumeStream(transport, call, reconnect)) {
        const next = readEvent(message.data)
        if (next.version <= version) continue
        if (next.version !== version + 1) throw gap(id, version)
        version = next.version
        yield { version, event: next.event }
      }
    },
    async cancel(id, reason) {
      const path = `${executionPath(id)}/cancel`
      return (await transport.call({ method: 'POST', path, body: { reason } }, cancelled)).status
    },
    async remove(id) {
      await transport.call({ method: 'DELETE', path: executionPath(id) }, success)
    },
  }
}

const gap = (id: string, version: number): AegisError =>
  new AegisError(
    'unavailable',
    'node.bad-answer',
    `The node left out events of execution ${id} behind version ${version}. Read them again: aegis task logs ${id}`,
  )
