import { AegisError } from '../kernel/aegis-error.ts'
import type { EventStore, RecordedEvent, StreamId } from '../kernel/event-store.ts'
import type { AgentId } from '../kernel/ids.ts'
import { pageThrough } from '../kernel/page-through.ts'
import { type Agent, type AgentCommand, agent } from './agent.ts'
import type { AgentEvent } from './agent-event.ts'

export const agentStream = (id: AgentId): StreamId => `agent-${id}`

/** Tries before a command gives way to others that keep changing the same agent. */
const maxTries = 5

/**
 * Decides a command on the agent's present state and stores what follows from it; decides anew
 * when somebody else was quicker.
 */
export async function decideAgent(
  events: EventStore,
  id: AgentId,
  command: AgentCommand,
): Promise<{ readonly state: Agent; readonly decided: readonly AgentEvent[] }> {
  const stream = agentStream(id)
  for (let tries = 1; ; tries++) {
    let state = agent.initial
    let version = 0
    for await (const record of pageThrough(events, stream)) {
      state = agent.evolve(state, agentEventOf(record))
      version = record.version
    }
    const decided = agent.decide(state, command)
    if (decided.length === 0) return { state, decided }
    try {
      await events.append({ stream, expectedVersion: version, events: decided })
      return { state: decided.reduce(agent.evolve, state), decided }
    } catch (error) {
      const overtaken = error instanceof AegisError && error.code === 'store.version'
      if (!overtaken || tries === maxTries) throw error
    }
  }
}

/** An agent's stream holds nothing but its events: the store checks each row it reads. */
const agentEventOf = ({ event }: RecordedEvent): AgentEvent => event as AgentEvent
