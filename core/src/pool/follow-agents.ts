import type { AgentEvent } from '../agent/agent-event.ts'
import type { AgentManifest } from '../agent/agent-manifest.ts'
import { isAgentEvent } from '../agent/agent-projection.ts'
import type { AgentQueries, AgentRevision } from '../agent/agent-queries.ts'
import { chooseIsolation, type RunnableDeps } from '../agent/check-runnable.ts'
import type { ExecutionLimits } from '../execution/run-execution.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import { type EventStore, streamSubject } from '../kernel/event-store.ts'
import { type AgentId, agentId } from '../kernel/ids.ts'
import type { AgentSnapshots } from './agent-snapshots.ts'
import type { PoolFloor, WarmPool } from './warm-pool.ts'

interface Deps extends RunnableDeps {
  readonly agents: Pick<AgentQueries, 'list' | 'revision'>
  readonly events: Pick<EventStore, 'subscribe'>
  readonly limitsOf: (manifest: AgentManifest) => ExecutionLimits
  readonly pool: Pick<WarmPool, 'welcome' | 'dismiss'>
  readonly snapshots: Pick<AgentSnapshots, 'welcome' | 'dismiss'> | undefined
}

interface Known {
  readonly revision: number
  readonly floor: PoolFloor | undefined
  readonly paused: boolean
}

/** Tells the pool and the snapshots of the agents that are deployed, now and until it is disposed. */
export async function followAgents(deps: Deps): Promise<Disposable> {
  const { agents, events, pool, snapshots } = deps
  const known = new Map<AgentId, Known>()

  const know = (id: AgentId, agent: Known | undefined): void => {
    if (agent === undefined) known.delete(id)
    else known.set(id, agent)
    if (agent === undefined || agent.paused) {
      pool.dismiss(id)
      snapshots?.dismiss(id)
    } else {
      snapshots?.welcome(id, agent.revision)
      pool.welcome(id, agent.revision, agent.floor)
    }
  }
  const behind = (id: AgentId, event: AgentEvent): Known | undefined => {
    const agent = known.get(id)
    switch (event.type) {
      case 'agent.deployed':
      case 'agent.updated': {
        const { revision } = event
        const floor = floorOf(deps, id, revision, event)
        return { revision, floor, paused: agent?.paused ?? false }
      }
      case 'agent.paused':
      case 'agent.resumed':
        return agent && { ...agent, paused: event.type === 'agent.paused' }
      case 'agent.removed':
        return undefined
    }
  }

  for (const { id, revision, status } of await agents.list()) {
    const deployed = await agents.revision(id, revision)
    const floor = deployed && floorOf(deps, id, revision, deployed)
    know(id, { revision, floor, paused: status === 'paused' })
  }
  return events.subscribe((recorded) => {
    for (const { stream, event } of recorded) {
      const id = agentId(streamSubject(stream).id)
      if (isAgentEvent(event)) know(id, behind(id, event))
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
