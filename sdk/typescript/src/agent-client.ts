import type { AgentControl, AgentExecutionEvent } from '@aegis/core'
import {
  agentSummaries,
  agentSummary,
  agentSummaryFromWire,
  deployResult,
  deployResultFromWire,
  manifest,
  signedManifestType,
  success,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { agentPath } from './paths.ts'
import { readEvent } from './read-event.ts'
import { readOutcome } from './read-stream.ts'
import { type Reconnect, resumeStream } from './resume-stream.ts'

/** Executions whose last seen version is remembered: well above the 100 that a node replays. */
const rememberedExecutions = 1_000

export function makeAgentClient(transport: HttpTransport, reconnect: Reconnect): AgentControl {
  const pathOf = (ref: string) => agentPath(transport, ref)

  return {
    async deploy(manifest, { replace, signed, onProgress = ignore, signal = unending() } = {}) {
      const query = { replace: replace === true ? true : undefined }
      // As a stream, since a plain answer could take longer than any deadline: it may pull an image.
      const body =
        signed === undefined
          ? { body: manifest }
          : { body: signed, contentType: signedManifestType }
      const call = { method: 'POST', path: '/agents', query, ...body, signal } as const
      const last = { event: 'deployed', schema: deployResult }
      return deployResultFromWire(await readOutcome(transport, call, last, onProgress))
    },
    async list() {
      const agents = await transport.call({ method: 'GET', path: '/agents' }, agentSummaries)
      return agents.map(agentSummaryFromWire)
    },
    async find(ref) {
      const path = `${await pathOf(ref)}/summary`
      return agentSummaryFromWire(await transport.call({ method: 'GET', path }, agentSummary))
    },
    async manifest(ref, revision) {
      const path = await pathOf(ref)
      return transport.call({ method: 'GET', path, query: { revision } }, manifest)
    },
    async remove(ref) {
      await transport.call({ method: 'DELETE', path: await pathOf(ref) }, success)
    },
    async pause(ref, reason) {
      const path = `${await pathOf(ref)}/pause`
      await transport.call({ method: 'POST', path, body: { reason } }, success)
    },
    async resume(ref) {
      await transport.call({ method: 'POST', path: `${await pathOf(ref)}/resume` }, success)
    },
    async *events(ref, { follow = false }, signal) {
      if (signal.aborted) return
      const call = { path: `${await pathOf(ref)}/events`, query: { follow }, signal }
      yield* once(resumeStream(transport, call, reconnect))
    },
  }
}

const ignore = (): void => undefined
const unending = (): AbortSignal => new AbortController().signal

/** Executions run side by side, so a resumed stream may repeat events: shows each one once. */
async function* once(
  messages: AsyncIterable<{ readonly data: string }>,
): AsyncGenerator<AgentExecutionEvent> {
  const seen = new Map<string, number>()
  for await (const message of messages) {
    const event = readEvent(message.data)
    if (event.version <= (seen.get(event.executionId) ?? 0)) continue
    seen.delete(event.executionId)
    seen.set(event.executionId, event.version)
    const [oldest] = seen.keys()
    if (seen.size > rememberedExecutions && oldest !== undefined) seen.delete(oldest)
    yield event
  }
}
