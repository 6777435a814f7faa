import type { TokenRepository } from '../access/token.ts'
import { isAgentEvent } from '../agent/agent-projection.ts'
import type { AgentQueries } from '../agent/agent-queries.ts'
import type { AuditEntry } from '../audit/audit-entry.ts'
import { makeAuditOf } from '../audit/audit-of.ts'
import type { AuditStore } from '../audit/audit-store.ts'
import { isExecutionEvent } from '../execution/execution-projection.ts'
import type { ExecutionQueries } from '../execution/execution-queries.ts'
import {
  type AppendRequest,
  type EventStore,
  type RecordedEvent,
  type StreamId,
  streamRemoved,
  streamSubject,
  versionConflict,
} from '../kernel/event-store.ts'
import { makeInMemoryAudit } from './in-memory-audit.ts'
import { makeInMemoryProjections } from './in-memory-projections.ts'
import { makeInMemoryTokens } from './in-memory-tokens.ts'
import { pureSha256 } from './pure-sha256.ts'

export interface InMemoryStore {
  readonly events: EventStore
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  readonly tokens: TokenRepository
  readonly audit: AuditStore
}

export interface InMemoryStoreOptions {
  /** Runs before anything is stored; a throw rejects the append, and nothing happened. */
  readonly failBefore?: (request: AppendRequest) => void
  /** Runs when all is stored; a throw is a crash between the commit and its acknowledgement. */
  readonly failAfter?: (request: AppendRequest) => void
  /** Runs before entries of no event are stored; a throw rejects them, and nothing happened. */
  readonly failRecord?: (entries: readonly AuditEntry[]) => void
  /** Keep the texts of prompts and answers in the audit. */
  readonly auditTexts?: boolean
}

/** The stores' ports in memory, for tests. It passes the contract that the durable ones pass. */
export function makeInMemoryStore(options: InMemoryStoreOptions = {}): InMemoryStore {
  const streams = new Map<StreamId, StoredEvent[]>()
  const removed = new Set<StreamId>()
  const listeners = new Set<Listener>()
  const projections = makeInMemoryProjections()
  const auditOf = makeAuditOf({ sha256: pureSha256, texts: options.auditTexts ?? false })
  const { append: appendEntries, ...audit } = makeInMemoryAudit(options.failRecord)
  let position = 0

  const entriesOf = (recorded: readonly RecordedEvent[]): readonly AuditEntry[] => {
    const [first] = recorded
    if (first === undefined) return []
    const { kind, id } = streamSubject(first.stream)
    const subject =
      kind === 'agent' ? { agentId: id } : { agentId: projections.agentOf(id), executionId: id }
    return recorded.flatMap(({ event }) => {
      const isKnown = isAgentEvent(event) || isExecutionEvent(event)
      const entry = isKnown ? auditOf(event, subject) : undefined
      return entry === undefined ? [] : [entry]
    })
  }

  const events: EventStore = {
    async append(request) {
      const bodies = request.events.map((event) => JSON.stringify(event))
      // As with a disk: what was asked for is never there before the asker has let go.
      await Promise.resolve()
      options.failBefore?.(request)
      const { stream, expectedVersion } = request
      if (removed.has(stream)) throw streamRemoved(stream)
      const stored = streams.get(stream) ?? []
      if (stored.length !== expectedVersion) {
        throw versionConflict(stream, expectedVersion, stored.length)
      }
      if (bodies.length === 0) return []
      const recorded = request.events.map(
        (event, index): RecordedEvent => ({
          position: position + index + 1,
          stream,
          version: expectedVersion + index + 1,
          event,
        }),
      )
      projections.apply(recorded)
      for (const body of bodies) stored.push({ position: ++position, body })
      streams.set(stream, stored)
      appendEntries(entriesOf(recorded))
      for (const listener of [...listeners]) notify(listener, recorded)
      options.failAfter?.(request)
      return recorded
    },
    async read(stream, afterVersion = 0, limit = Number.POSITIVE_INFINITY) {
      const stored = streams.get(stream) ?? []
      return stored.slice(afterVersion, afterVersion + limit).map(({ position, body }, index) => ({
        position,
        stream,
        version: afterVersion + 1 + index,
        event: JSON.parse(body),
      }))
    },
    subscribe(listener) {
      // A wrapper of its own, so that the same function may subscribe twice.
      const entry: Listener = (recorded) => listener(recorded)
      listeners.add(entry)
      return { [Symbol.dispose]: () => void listeners.delete(entry) }
    },
    async remove(stream) {
      await Promise.resolve()
      if (!streams.delete(stream)) return
      removed.add(stream)
      projections.remove(stream)
    },
  }
  const { agents, executions } = projections
  return { events, agents, executions, tokens: makeInMemoryTokens(), audit }
}

/** Events are kept as text, so that a reader gets what a disk would give back, and a copy. */
interface StoredEvent {
  readonly position: number
  readonly body: string
}

type Listener = (events: readonly RecordedEvent[]) => void

function notify(listener: Listener, recorded: readonly RecordedEvent[]): void {
  try {
    listener(recorded)
  } catch {
    // The port's promise: what a subscriber throws is its own affair.
  }
}
