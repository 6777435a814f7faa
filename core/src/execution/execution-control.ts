import type { Actor } from '../access/actor.ts'
import type { AgentQueries } from '../agent/agent-queries.ts'
import { deployRequestOf, requirePermit } from '../agent/ask-policy.ts'
import { checkRunnable, type RunnableDeps } from '../agent/check-runnable.ts'
import { findAgent } from '../agent/find-agent.ts'
import type { AuditTrail } from '../audit/audit-entry.ts'
import type { ExecutionControl, ExecutionDetail, VersionedEvent } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { EventStore } from '../kernel/event-store.ts'
import { type ExecutionId, executionId, type Ids } from '../kernel/ids.ts'
import { pageThrough } from '../kernel/page-through.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import { cancelExecution } from './cancel-execution.ts'
import { isTerminal } from './execution.ts'
import { describeExecution } from './execution-detail.ts'
import type { ExecutionEvent } from './execution-event.ts'
import { executionEventOf, executionStream } from './execution-journal.ts'
import type { ExecutionQueries, ExecutionSummary } from './execution-queries.ts'
import { followExecution } from './follow-events.ts'
import type { LiveExecutions } from './live-executions.ts'
import type { RunDeps } from './run-execution.ts'
import type { SchedulerCapacity } from './scheduler.ts'

export interface ExecutionControlDeps extends RunnableDeps {
  readonly config: RunnableDeps['config'] & Pick<RuntimeConfig, 'images'>
  readonly policies: Pick<PolicyEngine, 'decideTask'>
  readonly audit: AuditTrail
  /** Who asks. */
  readonly actor: Actor
  readonly events: EventStore
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  readonly live: LiveExecutions
  readonly limitsOf: RunDeps['limitsOf']
  readonly capacity: SchedulerCapacity
  readonly clock: Clock
  readonly ids: Ids
}

/** The use cases of executions. */
export function makeExecutionControl(deps: ExecutionControlDeps): ExecutionControl {
  const { events, agents, executions } = deps

  const find = async (id: string): Promise<ExecutionSummary> => {
    const found = await executions.byId(executionId(id))
    if (found !== undefined) return found
    throw new AegisError(
      'not-found',
      'execution.absent',
      `There is no execution "${id}". See aegis task list.`,
    )
  }

  return {
    execute: (agentRef, input, options = {}) => execute(deps, agentRef, input, options),

    async find(id): Promise<ExecutionDetail> {
      return describeExecution(events, await find(id))
    },

    async list({ agentRef, status, limit = 20 }) {
      const agentId = agentRef === undefined ? undefined : (await findAgent(agents, agentRef)).id
      return executions.list({ agentId, status, limit })
    },

    async *events(id, { after = 0, follow = false }, signal) {
      const { id: known, status } = await find(id)
      // Behind the end of a finished execution nothing is left to wait for.
      if (follow && !isTerminal(status)) yield* followExecution(events, known, after, signal)
      else yield* storedEvents(events, known, after)
    },

    async cancel(id, reason) {
      await cancelExecution(deps, (await find(id)).id, reason)
      return (await find(id)).status
    },

    async remove(id) {
      const { status, id: known } = await find(id)
      if (!isTerminal(status)) {
        throw new AegisError(
          'conflict',
          'execution.running',
          `The execution is ${status}. Cancel it first: aegis task cancel ${id}`,
        )
      }
      await events.remove(executionStream(known))
    },
  }
}

async function execute(
  deps: ExecutionControlDeps,
  agentRef: string,
  input: unknown,
  { priority = 0, isolation: asked }: Parameters<ExecutionControl['execute']>[2] & object,
): Promise<ExecutionId> {
  const { agents, events, clock, ids, capacity } = deps
  const summary = await findAgent(agents, agentRef)
  if (summary.status === 'paused') {
    throw new AegisError(
      'conflict',
      'agent.paused',
      `Agent "${summary.name}" is paused. Resume it first: aegis agent resume ${summary.name}`,
    )
  }
  const revision = await agents.revision(summary.id, summary.revision)
  if (revision === undefined) throw new Error('An agent without the manifest of its revision')
  const { manifest } = revision
  await checkRunnable(deps, manifest, asked)
  const { cpuMillicores, memoryBytes } = deps.limitsOf(manifest)
  refuseTooLarge({ cpuMillicores, memoryBytes }, capacity)
  const request = deployRequestOf(deps, manifest, asked)
  const agent = { name: summary.name, manifest }
  const decision = deps.policies.decideTask(deps.actor, agent, { ...request, priority })
  const question = { action: 'task.execute', agentId: summary.id, agentName: summary.name } as const
  const permitted = requirePermit(deps, question, decision)
  if (!decision.allow) await permitted
  const id = ids.execution()
  const { isolation } = request
  const queued: ExecutionEvent = {
    type: 'execution.queued',
    agentId: summary.id,
    agentName: summary.name,
    agentRevision: summary.revision,
    input,
    priority,
    isolation,
    cpuMillicores,
    memoryBytes,
    at: clock.now(),
  }
  // Asked for in one turn, so that one commit stores both.
  await Promise.all([
    permitted,
    events.append({ stream: executionStream(id), expectedVersion: 0, events: [queued] }),
  ])
  return id
}

function refuseTooLarge(
  wanted: { readonly cpuMillicores: number; readonly memoryBytes: number },
  capacity: SchedulerCapacity,
): void {
  const tooMuch =
    wanted.cpuMillicores > capacity.cpuMillicores
      ? `${wanted.cpuMillicores} millicores of cpu; the node has ${capacity.cpuMillicores}`
      : wanted.memoryBytes > capacity.memoryBytes
        ? `${wanted.memoryBytes} bytes of memory; the node has ${capacity.memoryBytes}`
        : undefined
  if (tooMuch === undefined) return
  throw new AegisError(
    'exhausted',
    'node.capacity',
    `The agent asks for ${tooMuch}. Lower spec.security.resources, or raise spec.runtime.capacity of the node config.`,
  )
}

async function* storedEvents(
  events: EventStore,
  id: ExecutionId,
  after: number,
): AsyncGenerator<VersionedEvent> {
  for await (const record of pageThrough(events, executionStream(id), after)) {
    yield { version: record.version, event: executionEventOf(record) }
  }
}
