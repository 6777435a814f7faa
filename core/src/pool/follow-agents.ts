import type { AgentEvent } from '../agent/agent-event.ts'
import type { AgentManifest } from '../agent/agent-manifest.ts'
import { isAgentEvent } from '../agent/agent-projection.ts'
import type { AgentQueries, AgentRevision } from '../agent/agent-queries.ts'
import { chooseIsolation, type RunnableDeps } from '../agent/check-runnable.ts'
import type { ExecutionLimits } from '../execution/run-execution.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import { type EventStore, streamSubject } from '../kernel/event-store.ts'
import { type AgentId, agentId } from '../kernel/ids.ts'
import type { PoolFloor, WarmPool } from './warm-pool.ts'

interface Deps extends RunnableDeps {
  readonly agents: Pick<AgentQueries, 'list' | 'revision'>
  readonly events: Pick<EventStore, 'subscribe'>
  readonly limitsOf: (manifest: AgentManifest) => ExecutionLimits
  readonly pool: Pick<WarmPool, 'welcome' | 'dismiss'>
}

/** What is kept of an agent while it is paused. */
interface Known {
  readonly revision: number
  readonly floor: PoolFloor | undefined
}

/** Tells the pool of the agents that are deployed, now and until it is disposed. */
export async function followAgents(deps: Deps): Promise<Disposable> {
  const { agents, events, pool } = deps
  const known = new Map<AgentId, Known>()

  const meet = (id: AgentId, revision: number, deployed: AgentRevision): Known => {
    const agent = { revision, floor: floorOf(deps, id, revision, deployed) }
    known.set(id, agent)
    return agent
  }
  const welcome = (id: AgentId, agent: Known | undefined): void => {
    if (agent !== undefined) pool.welcome(id, agent.revision, agent.floor)
  }
  const heed = (id: AgentId, event: AgentEvent): void => {
    switch (event.type) {
      case 'agent.deployed':
      case 'agent.updated':
        welcome(id, meet(id, event.revision, event))
        return
      case 'agent.resumed':
        welcome(id, known.get(id))
        return
      case 'agent.removed':
        known.delete(id)
        pool.dismiss(id)
        return
      case 'agent.paused':
        pool.dismiss(id)
    }
  }

  for (const { id, revision, status } of await agents.list()) {
    const deployed = await agents.revision(id, revision)
    if (deployed === undefined) continue
    const agent = meet(id, revision, deployed)
    if (status === 'active') welcome(id, agent)
  }
  return events.subscribe((recorded) => {
    for (const { stream, event } of recorded) {
      if (isAgentEvent(event)) heed(agentId(streamSubject(stream).id), event)
    }
  })
}

/** Undefined when its manifest asks for none, or this node cannot run it. */
function floorOf(
  deps: Deps,
  id: AgentId,
  agentRevision: number,
  { manifest, image }: AgentRevision,
): PoolFloor | undefined {
  const { warm_pool_size: size } = manifest.spec.advanced
  const runtime = size === 0 ? undefined : runtimeOf(deps, manifest)
  if (runtime === undefined) return undefined
  // Deployed for another runtime: which image that would be is known when it runs.
  if (runtime.images !== undefined && image === undefined) return undefined
  const limits = deps.limitsOf(manifest)
  const pin = runtime.images === undefined ? undefined : image
  return { size, recipe: { agentId: id, agentRevision, manifest, image: pin, runtime, limits } }
}

function runtimeOf(deps: Deps, manifest: AgentManifest) {
  try {
    return deps.runtimes.get(chooseIsolation(deps, manifest))
  } catch (error) {
    if (error instanceof AegisError) return undefined
    throw error
  }
}
