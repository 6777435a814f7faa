import { type Actor, localActor } from '../access/actor.ts'
import { type AgentNames, makeAgentNames } from '../access/agent-names.ts'
import { makeTokenControl, type TokenControlDeps } from '../access/token-control.ts'
import { makeAgentControl } from '../agent/agent-control.ts'
import type { AgentQueries } from '../agent/agent-queries.ts'
import { type AuditControlDeps, makeAuditControl } from '../audit/audit-control.ts'
import type { AuditTrail } from '../audit/audit-entry.ts'
import type { ControlPlane, NodeControl, NodeStatus } from '../control-plane.ts'
import { cancelExecution } from '../execution/cancel-execution.ts'
import { makeExecutionControl } from '../execution/execution-control.ts'
import type { ExecutionQueries } from '../execution/execution-queries.ts'
import { makeLiveExecutions } from '../execution/live-executions.ts'
import { makeOwnQueue } from '../execution/own-queue.ts'
import { makeReclaimExecution } from '../execution/reclaim-execution.ts'
import { recoverExecutions } from '../execution/recover-executions.ts'
import { makeRunExecution, type RunDeps } from '../execution/run-execution.ts'
import { makeScheduler, type SchedulerCapacity } from '../execution/scheduler.ts'
import { makeImageControl } from '../image/image-control.ts'
import { makeImageTrust } from '../image/image-trust.ts'
import type { RecordedEvent } from '../kernel/event-store.ts'
import { makePolicyControl } from '../policy/policy-control.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import { makeAgentSnapshots } from '../pool/agent-snapshots.ts'
import { followAgents } from '../pool/follow-agents.ts'
import { prepareAhead } from '../pool/prepare-sandbox.ts'
import { makeWarmPool, type WarmPool } from '../pool/warm-pool.ts'
import { makeLiveSandboxes } from '../sandbox/live-sandboxes.ts'
import type { SandboxFigures } from '../sandbox/sandbox-figures.ts'
import { makeSecretControl } from '../secret/secret-control.ts'
import type { SecretKeeper } from '../secret/secret-keeper.ts'
import type { SupplyVerifiers } from '../supply/supply-verifiers.ts'
import type { NodeConfig } from './node-config.ts'

export interface NodeDeps
  extends Omit<
      RunDeps,
      | 'live'
      | 'agents'
      | 'images'
      | 'pool'
      | 'sandboxes'
      | 'security'
      | 'snapshots'
      | 'trust'
      | 'vault'
    >,
    TokenControlDeps {
  readonly config: NodeConfig
  readonly vault: SecretKeeper
  /** What the keys of the config have signed. */
  readonly supply: SupplyVerifiers
  readonly policies: PolicyEngine
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  /** Takes what belongs to no event; that of events is appended with them. */
  readonly audit: AuditTrail
  /** The log, for those who read it. */
  readonly auditLog: Omit<AuditControlDeps, 'agents'>
  readonly capacity: SchedulerCapacity
  /**
   * `all`: runs whatever waits. `own`: only what was queued through this node; the rest waits for
   * one that stays.
   */
  readonly runs: 'all' | 'own'
  /** What the core cannot know of the process it lives in. */
  readonly about: Pick<NodeStatus, 'version' | 'pid' | 'scriptedModel' | 'exposed'>
}

/** The domain of one node, put together: what users call, and what runs behind it. */
export interface DomainNode {
  /** That of whoever owns the home. */
  readonly controlPlane: ControlPlane
  /** What one caller sees. Whether it may is asked before, where it comes in. */
  as(actor: Actor): ControlPlane
  readonly agentNames: AgentNames
  readonly sandboxFigures: SandboxFigures
  /** Destroys what a dead owner left, takes its executions up again, and starts the scheduler. */
  start(signal: AbortSignal): Promise<void>
  /** Starts nothing new, interrupts what runs, and resolves when its sandboxes are gone. */
  stop(): Promise<void>
}

/** Builds a node from its adapters. Nothing runs before `start`. */
export function makeNode(deps: NodeDeps): DomainNode {
  const { config, events, executions, runtimes, capacity, clock, logger, about } = deps
  const live = makeLiveExecutions()
  const sandboxes = makeLiveSandboxes(clock)
  const reclaim = makeReclaimExecution(deps)
  const trust = makeImageTrust({
    requireDigest: config.spec.security.supply.require_digest,
    verifier: deps.supply.images,
  })
  const stopping = new AbortController()
  const ownQueue = deps.runs === 'own' ? makeOwnQueue(events) : undefined
  const { enabled, idle_seconds: idleSeconds, max_size: maxSize } = config.spec.runtime.warm_pool
  // A command without a daemon does not stay for what it would boot ahead.
  const warm = enabled && deps.runs === 'all'
  const scheduler = makeScheduler({
    executions: ownQueue ?? executions,
    run: (id) => run(id).catch((error: unknown) => reclaim(id, error, stopping.signal)),
    capacity,
    // Either needs the other: the pool lives on what the scheduler lends.
    warm: {
      memoryOf: (id) => pool?.memoryOf(id) ?? 0,
      makeRoom: async (bytes, id) => pool?.makeRoom(bytes, id),
      balance: () => pool?.balance(),
    },
    logger,
  })
  const snapshots = warm ? makeAgentSnapshots({ ...deps, sandboxes }) : undefined
  const pool: WarmPool | undefined = warm
    ? makeWarmPool({
        prepare: (recipe, signal) =>
          prepareAhead({ ...deps, trust, sandboxes, snapshots }, recipe, signal),
        lacksSnapshot: (recipe) => snapshots?.lacks(recipe) ?? false,
        room: scheduler,
        idleMs: idleSeconds * 1000,
        maxSize,
        clock,
        logger,
      })
    : undefined
  const run = makeRunExecution({
    ...deps,
    trust,
    live,
    sandboxes,
    pool,
    snapshots,
    images: config.spec.runtime.images,
    security: config.spec.security,
  })
  const shared = { ...deps, trust, config: config.spec.runtime, live }
  const startedMs = clock.monotonicMs()
  const subscriptions = new DisposableStack()

  const status = async (): Promise<NodeStatus> => ({
    ...about,
    name: config.metadata.name,
    uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    executions: await executions.countByStatus(),
    capacity: {
      cpuMillicores: capacity.cpuMillicores,
      memoryBytes: capacity.memoryBytes,
      freeCpuMillicores: scheduler.free.cpuMillicores,
      freeMemoryBytes: scheduler.free.memoryBytes,
    },
    sandboxes: sandboxes.counts,
  })

  const images = makeImageControl(deps)
  const secrets = makeSecretControl(deps)
  const node: NodeControl = {
    status,
    async doctor(signal) {
      const findings = [...runtimes].map(async ([isolation, runtime]) =>
        (await runtime.diagnose(signal)).map((finding) => ({ isolation, ...finding })),
      )
      return (await Promise.all(findings)).flat()
    },
  }
  const audit = makeAuditControl({ ...deps.auditLog, agents: deps.agents })
  const as = (actor: Actor): ControlPlane => ({
    agents: makeAgentControl({
      ...shared,
      actor,
      cancel: (id, reason) => cancelExecution(shared, id, reason),
    }),
    executions: makeExecutionControl({ ...shared, actor }),
    images,
    sandboxes,
    policies: makePolicyControl({ ...shared, actor }),
    secrets,
    tokens: makeTokenControl(deps, actor),
    audit,
    node,
  })

  return {
    controlPlane: as(localActor),
    as,
    agentNames: makeAgentNames(deps),
    sandboxFigures: sandboxes.figures,
    async start(signal) {
      for (const runtime of runtimes.values()) {
        const { removed } = await runtime.sweep(signal)
        if (removed.length > 0) logger.warn({ removed }, 'swept what an earlier run left')
      }
      const recovered = await recoverExecutions(deps)
      if (recovered > 0) logger.warn({ recovered }, 'took up interrupted executions')
      subscriptions.use(
        events.subscribe((recorded) => {
          if (recorded.some(wakesScheduler)) scheduler.wake()
        }),
      )
      if (pool !== undefined) subscriptions.use(await followAgents({ ...shared, pool, snapshots }))
      snapshots?.settle()
      scheduler.wake()
    },
    async stop() {
      subscriptions.dispose()
      ownQueue?.[Symbol.dispose]()
      stopping.abort()
      const stopped = scheduler.stop()
      live.interruptAll()
      await Promise.all([stopped, pool?.[Symbol.asyncDispose]()])
    },
  }
}

const wakesScheduler = ({ event }: RecordedEvent): boolean =>
  event.type === 'execution.queued' || event.type === 'agent.resumed'
