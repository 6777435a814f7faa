import type { Actor } from '../access/actor.ts'
import type { AuditTrail } from '../audit/audit-entry.ts'
import type { AgentControl, AgentExecutionEvent, DeployOptions } from '../control-plane.ts'
import { isTerminal } from '../execution/execution.ts'
import { executionEventOf, executionStream } from '../execution/execution-journal.ts'
import type { ExecutionQueries, ExecutionSummary } from '../execution/execution-queries.ts'
import { followExecution, listen } from '../execution/follow-events.ts'
import { imageReferenceOf } from '../image/image-reference.ts'
import type { PinnedImage } from '../image/image-store.ts'
import type { ImageTrust } from '../image/image-trust.ts'
import { pinImage, restoreImage } from '../image/pin-image.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { AgentId, ExecutionId, Ids } from '../kernel/ids.ts'
import { pageThrough } from '../kernel/page-through.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import { requireSignature } from '../supply/signed-manifest.ts'
import type { SupplyVerifiers } from '../supply/supply-verifiers.ts'
import { agentExists } from './agent.ts'
import { decideAgent } from './agent-journal.ts'
import type { AgentManifest } from './agent-manifest.ts'
import type { AgentQueries } from './agent-queries.ts'
import { deployRequestOf, requirePermit } from './ask-policy.ts'
import { checkRunnable, type RunnableDeps } from './check-runnable.ts'
import { findAgent } from './find-agent.ts'
import { sameManifest } from './same-manifest.ts'
import { unheeded } from './unheeded.ts'

interface Deps extends RunnableDeps {
  readonly events: EventStore
  readonly config: RunnableDeps['config'] & Pick<RuntimeConfig, 'images'>
  readonly agents: AgentQueries
  readonly executions: ExecutionQueries
  readonly policies: Pick<PolicyEngine, 'decideDeploy'>
  readonly audit: AuditTrail
  readonly trust: ImageTrust
  readonly supply: Pick<SupplyVerifiers, 'manifests'>
  /** Who asks. */
  readonly actor: Actor
  /** Resolves when the execution is in a terminal state. */
  readonly cancel: (id: ExecutionId, reason: string) => Promise<unknown>
  readonly clock: Clock
  readonly ids: Ids
}

/** Executions whose events `agent logs` shows. */
const shownExecutions = 100

/** Executions of a removed agent that are cancelled side by side; more follow after them. */
const cancelledAtOnce = 1000

/** The use cases of agents. */
export function makeAgentControl(deps: Deps): AgentControl {
  const { events, agents, executions, clock, ids } = deps

  const decide = async (ref: string, type: 'pause' | 'resume', reason?: string): Promise<void> => {
    const { id } = await findAgent(agents, ref)
    await decideAgent(events, id, { type, reason, at: clock.now() })
  }

  return {
    async deploy(manifest, { replace = false, signed, onProgress = ignore, signal = never } = {}) {
      requireSignature(deps.supply.manifests, manifest, signed)
      const runtime = await checkRunnable(deps, manifest)
      const { name } = manifest.metadata
      const request = deployRequestOf(deps, manifest)
      const id = ids.agent(name)
      const decision = deps.policies.decideDeploy(deps.actor, { name, manifest }, request)
      const question = { action: 'agent.deploy', agentId: id, agentName: name } as const
      await requirePermit(deps, question, decision)
      const image = await imageFor(deps, runtime, { id, manifest, replace, onProgress }, signal)
      signal.throwIfAborted()
      const command = { type: 'deploy', manifest, replace, ...image, at: clock.now() } as const
      const { state, decided } = await decideAgent(events, id, command)
      const changed = decided.length > 0
      const pin =
        state.status === 'absent' || state.image === undefined ? {} : { image: state.image }
      return { id, revision: state.revision, changed, ...pin, warnings: unheeded(manifest) }
    },

    list: () => agents.list(),

    find: (ref) => findAgent(agents, ref),

    manifest: (ref, revision) => findManifest(agents, ref, revision),

    async remove(ref) {
      const { id } = await findAgent(agents, ref)
      await decideAgent(events, id, { type: 'remove', at: clock.now() })
      for (const status of ['queued', 'pending', 'running'] as const) {
        let open: readonly ExecutionSummary[]
        do {
          open = await executions.list({ agentId: id, status, limit: cancelledAtOnce })
          await Promise.all(open.map((one) => deps.cancel(one.id, 'The agent was removed.')))
        } while (open.length === cancelledAtOnce)
      }
    },

    pause: (ref, reason) => decide(ref, 'pause', reason),

    resume: (ref) => decide(ref, 'resume'),

    async *events(ref, { follow = false }, signal) {
      const { id } = await findAgent(agents, ref)
      if (follow) yield* followAgent(deps, id, signal)
      else yield* storedEvents(deps, await latest(executions, id), signal)
    },
  }
}

const ignore = (): void => undefined
const never = new AbortController().signal

/**
 * The image that a deploy pins. An agent that stays as it is keeps its own, unless `replace` or its
 * manifest says to look for a newer one.
 */
async function imageFor(
  { agents, config, trust }: Deps,
  { images }: SandboxRuntime,
  {
    id,
    manifest,
    replace,
    onProgress,
  }: Required<Pick<DeployOptions, 'onProgress' | 'replace'>> & {
    readonly id: AgentId
    readonly manifest: AgentManifest
  },
  signal: AbortSignal,
): Promise<{ readonly image?: PinnedImage }> {
  if (images === undefined) return {}
  const { image_pull_policy: policy } = manifest.spec.runtime
  const { name } = manifest.metadata
  const summary = await agents.byId(id)
  const current = summary && (await agents.revision(id, summary.revision))
  const same = current !== undefined && sameManifest(current.manifest, manifest)
  // Nothing is fetched for a deploy that is going to be refused.
  if (current !== undefined && !same && !replace) throw agentExists(name, summary?.revision ?? 0)
  const options = { policy, onProgress }
  if (same && !replace && current.image !== undefined && policy !== 'Always') {
    const image = await restoreImage(images, current.image, options, signal)
    await trust.check(images, image, signal)
    return { image }
  }
  const reference = imageReferenceOf(manifest, config.images)
  await trust.checkName(images, reference, signal)
  const image = await pinImage(images, reference, options, signal)
  await trust.check(images, image, signal)
  return { image }
}

async function findManifest(
  agents: AgentQueries,
  ref: string,
  revision: number | undefined,
): Promise<AgentManifest> {
  const summary = await findAgent(agents, ref)
  const wanted = revision ?? summary.revision
  const found = await agents.revision(summary.id, wanted)
  if (found !== undefined) return found.manifest
  throw new AegisError(
    'not-found',
    'agent.revision',
    `Agent "${summary.name}" has no revision ${wanted}; it has 1 to ${summary.revision}.`,
  )
}

async function latest(
  executions: ExecutionQueries,
  agentId: AgentId,
): Promise<readonly ExecutionSummary[]> {
  const newestFirst = await executions.list({ agentId, limit: shownExecutions })
  return newestFirst.toReversed()
}

async function* storedEvents(
  { events }: Deps,
  shown: readonly ExecutionSummary[],
  signal: AbortSignal,
): AsyncGenerator<AgentExecutionEvent> {
  for (const { id } of shown) {
    for await (const record of pageThrough(events, executionStream(id))) {
      if (signal.aborted) return
      yield { executionId: id, version: record.version, event: executionEventOf(record) }
    }
  }
}

/**
 * Each execution of the agent to its end, one after the other in the order of their queueing, then
 * the next one that is queued.
 */
async function* followAgent(
  deps: Deps,
  agentId: AgentId,
  signal: AbortSignal,
): AsyncGenerator<AgentExecutionEvent> {
  const { events, executions } = deps
  const seen = new Set<ExecutionId>()
  using news = listen(
    events,
    (recorded) => recorded.some(({ event }) => event.type === 'execution.queued'),
    signal,
  )
  while (!signal.aborted) {
    const next = news.next()
    const open = (await latest(executions, agentId)).filter(({ id }) => !seen.has(id))
    for (const { id, status } of open) {
      seen.add(id)
      if (isTerminal(status))
        yield* storedEvents(
          deps,
          open.filter((one) => one.id === id),
          signal,
        )
      else {
        for await (const item of followExecution(events, id, 0, signal)) {
          yield { executionId: id, ...item }
        }
      }
    }
    if (open.length === 0) await next
  }
}
