import type { DomainEvent, RecordedEvent } from '../kernel/event-store.ts'
import { agentId } from '../kernel/ids.ts'
import type { AgentEvent } from './agent-event.ts'
import type { AgentManifest } from './agent-manifest.ts'
import type { AgentSummary } from './agent-queries.ts'

/** One agent as a store keeps it; `executionCount` is missing, since it is counted when asked for. */
export type ProjectedAgent = Omit<AgentSummary, 'executionCount'>

/**
 * The row after one more event of the agent's stream; `undefined` while it is not deployed. Every
 * store folds with this, so that their rows cannot differ.
 */
export function projectAgent(
  row: ProjectedAgent | undefined,
  { stream, event }: RecordedEvent<AgentEvent>,
): ProjectedAgent | undefined {
  switch (event.type) {
    case 'agent.deployed':
      return {
        ...described(event.manifest),
        id: agentId(stream.slice('agent-'.length)),
        status: 'active',
        revision: event.revision,
        ...imageOf(event),
        createdAt: event.at,
        updatedAt: event.at,
      }
    case 'agent.updated':
      if (row === undefined) return undefined
      return {
        ...withoutImage(row),
        ...described(event.manifest),
        revision: event.revision,
        ...imageOf(event),
        updatedAt: event.at,
      }
    case 'agent.paused':
      return row && { ...row, status: 'paused', updatedAt: event.at }
    case 'agent.resumed':
      return row && { ...row, status: 'active', updatedAt: event.at }
    case 'agent.removed':
      return undefined
  }
}

/** Whether the event brings a new revision of its agent's manifest. */
export const isRevision = (
  event: AgentEvent,
): event is Extract<AgentEvent, { readonly manifest: AgentManifest }> =>
  event.type === 'agent.deployed' || event.type === 'agent.updated'

/** Whether this version of AEGIS knows the event as an agent's. */
export const isAgentEvent = (event: DomainEvent): event is AgentEvent =>
  Object.hasOwn(agentEventTypes, event.type)

const agentEventTypes: Readonly<Record<AgentEvent['type'], true>> = {
  'agent.deployed': true,
  'agent.updated': true,
  'agent.paused': true,
  'agent.resumed': true,
  'agent.removed': true,
}

const imageOf = ({ image }: Extract<AgentEvent, { readonly manifest: AgentManifest }>) =>
  image === undefined ? {} : { image }

/** A revision that boots from no image must not keep that of the one before. */
const withoutImage = ({ image: _, ...row }: ProjectedAgent) => row

const described = ({ metadata }: AgentManifest) => ({
  name: metadata.name,
  version: metadata.version,
  description: metadata.description ?? '',
  labels: metadata.labels,
})
