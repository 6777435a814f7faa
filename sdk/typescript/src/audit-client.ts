import type { AuditControl, AuditQuery } from '@aegis/core'
import {
  auditProgress,
  auditReport,
  auditReportFromWire,
  loggedEntries,
  loggedEntry,
  loggedEntryFromWire,
  verifierKey,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { agentRef } from './paths.ts'
import { parseData, readWork } from './read-stream.ts'
import { type Reconnect, resumeStream } from './resume-stream.ts'

export function makeAuditClient(transport: HttpTransport, reconnect: Reconnect): AuditControl {
  const get = (path: string, query: Record<string, number | undefined> = {}) =>
    transport.bytes({ method: 'GET', path: `/audit/${path}`, query })
  const text = async (answer: Promise<Uint8Array>) => new TextDecoder().decode(await answer)

  return {
    async list(query, signal) {
      const call = { method: 'GET', path: '/audit/entries', query: wireOf(query), signal } as const
      return (await transport.call(call, loggedEntries)).map(loggedEntryFromWire)
    },
    async entry(index) {
      const call = { method: 'GET', path: `/audit/entries/${index}` } as const
      return loggedEntryFromWire(await transport.call(call, loggedEntry))
    },
    async *follow({ from, ...query }, signal) {
      const call = { path: '/audit/events', query: { ...wireOf(query), from }, signal }
      for await (const message of resumeStream(transport, call, reconnect)) {
        yield loggedEntryFromWire(parseData(message, loggedEntry))
      }
    },
    async key() {
      return (await transport.call({ method: 'GET', path: '/audit/key' }, verifierKey)).key
    },
    checkpoint: () => text(get('checkpoint')),
    tile: (path) => get(path),
    prove: (index, size) => text(get(`proof/${index}`, { size })),
    async verify(onProgress, signal) {
      const call = { method: 'POST', path: '/audit/verify', signal } as const
      const last = { event: 'verified', schema: auditReport }
      const progress = { schema: auditProgress, hear: onProgress }
      return auditReportFromWire(await readWork(transport, call, last, progress))
    },
  }
}

const wireOf = ({ agentRef: agent, executionId, ...query }: AuditQuery) => ({
  ...query,
  agent: agent === undefined ? undefined : agentRef(agent),
  execution_id: executionId,
})
