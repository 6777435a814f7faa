import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { AgentQueries } from '../agent/agent-queries.ts'
import { imageForRun } from '../image/image-for-run.ts'
import type { PinnedImage } from '../image/image-store.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Isolation, SandboxLimits } from '../sandbox/sandbox-spec.ts'
import { startDeadline } from './deadline.ts'
import { type ExistingExecution, type IterationOutcome, isTerminal } from './execution.ts'
import type { Failure } from './execution-event.ts'
import { type ExecutionJournal, openJournal } from './execution-journal.ts'
import { type LiveExecution, type LiveExecutions, StopReason } from './live-executions.ts'
import { renderPrompt } from './render-prompt.ts'
import { type IterationDeps, runIteration } from './run-iteration.ts'

/** Limits of the sandbox, and of time, in milliseconds. */
export interface ExecutionLimits extends SandboxLimits {
  /** Of one run of the whole execution. */
  readonly timeoutMs: number
  readonly iterationTimeoutMs: number
}

export interface RunDeps extends IterationDeps {
  readonly events: EventStore
  readonly agents: Pick<AgentQueries, 'revision'>
  readonly runtimes: ReadonlyMap<Isolation, SandboxRuntime>
  readonly limitsOf: (manifest: AgentManifest) => ExecutionLimits
  readonly live: LiveExecutions
  /** Image of each language; see `imageReferenceOf`. */
  readonly images: Readonly<Record<string, string>>
  readonly logger: Logger
}

/**
 * Runs one queued execution to its terminal event: iteration after iteration, each in a fresh
 * sandbox, until one is accepted, the tries or the time are used up, or somebody cancels it.
 * When the node shuts down, it goes back to the queue. It rejects only when the store fails.
 */
export function makeRunExecution(deps: RunDeps): (id: ExecutionId) => Promise<void> {
  return async (id) => {
    using live = deps.live.enter(id)
    const journal = await openJournal(deps.events, id)
    // Cancelled, or taken by an earlier wake, before its turn came.
    if (journal.state.status !== 'queued') return
    const started = journal.decide({ type: 'start', at: deps.clock.now() })
    try {
      await bothEnded(iterate(deps, journal, id, live), started)
    } catch (error) {
      await concludeStopped(deps, journal, id, live.signal, error)
    }
  }
}

/** What was done while something was stored; rejects no sooner than both are over. */
async function bothEnded<Done>(work: Promise<Done>, stored: Promise<unknown>): Promise<Done> {
  const [done, kept] = await Promise.allSettled([work, stored])
  if (kept.status === 'rejected') throw kept.reason
  if (done.status === 'rejected') throw done.reason
  return done.value
}

/** What every iteration of an execution shares. */
interface Prepared {
  readonly manifest: AgentManifest
  /** What the deploy pinned. */
  readonly image: PinnedImage | undefined
  readonly runtime: SandboxRuntime
  readonly limits: ExecutionLimits
  readonly maxIterations: number
}

async function iterate(
  deps: RunDeps,
  journal: ExecutionJournal,
  id: ExecutionId,
  live: LiveExecution,
): Promise<void> {
  const { clock } = deps
  const prepared = await prepare(deps, existing(journal))
  if ('cause' in prepared) {
    await journal.decide({ type: 'fail', failure: prepared, at: clock.now() })
    return
  }
  const { timeoutMs } = prepared.limits
  using _deadline = startDeadline(clock, timeoutMs, () =>
    live.abort(new StopReason('timed-out', `longer than ${timeoutMs / 1000} s`)),
  )
  const image = await imageOf(deps, journal, prepared, live.signal)
  if (image !== undefined && 'cause' in image) {
    await journal.decide({ type: 'fail', failure: image, at: clock.now() })
    return
  }
  while (!isTerminal(journal.state.status)) {
    const { history, input } = existing(journal)
    // An interrupted iteration is run again under its own number.
    const iteration = history.length + 1
    const action = render(prepared.manifest, input, iteration, history)
    if (typeof action !== 'string') {
      await journal.decide({ type: 'fail', failure: action, at: clock.now() })
      return
    }
    // Not awaited: the sandbox boots while this is stored, and what follows is stored behind it.
    const begun = journal.decide({ type: 'begin-iteration', iteration, action, at: clock.now() })
    const part = { ...prepared, image, id, iteration, prompt: action }
    const outcome = await bothEnded(timedIteration(deps, journal, part, live.signal), begun)
    const { maxIterations } = prepared
    await journal.decide({ type: 'end-iteration', outcome, maxIterations, at: clock.now() })
  }
}

/** What it boots from, fetched when it has to be. */
async function imageOf(
  { clock, images: table }: RunDeps,
  { note }: ExecutionJournal,
  { manifest, runtime, image: pin }: Prepared,
  signal: AbortSignal,
): Promise<PinnedImage | Failure | undefined> {
  const store = runtime.images
  if (store === undefined) return undefined
  try {
    return await imageForRun({ clock, table, note }, { store, manifest, pin }, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AegisError)) throw error
    return { cause: 'image_failed', message: error.message }
  }
}

async function prepare(
  { agents, runtimes, limitsOf }: RunDeps,
  { agentId, agentRevision, isolation }: ExistingExecution,
): Promise<Prepared | Failure> {
  const revision = await agents.revision(agentId, agentRevision)
  if (revision === undefined) {
    return { cause: 'unsupported', message: 'The agent was removed before its turn came.' }
  }
  const runtime = runtimes.get(isolation)
  if (runtime === undefined) {
    const message = `This node has no ${isolation} runtime any more. See aegis doctor.`
    return { cause: 'unsupported', message }
  }
  const { manifest, image } = revision
  const { mode, max_retries: tries } = manifest.spec.execution
  const maxIterations = mode === 'one-shot' ? 1 : tries
  return { manifest, image, runtime, limits: limitsOf(manifest), maxIterations }
}

interface IterationPart extends Prepared {
  readonly id: ExecutionId
  readonly iteration: number
  readonly prompt: string
}

/** One iteration within its own time; running out of that refuses the iteration, no more. */
async function timedIteration(
  deps: RunDeps,
  journal: ExecutionJournal,
  { id, ...part }: IterationPart,
  signal: AbortSignal,
): Promise<IterationOutcome> {
  const { agentId, history } = existing(journal)
  const expired = new AbortController()
  const { iterationTimeoutMs } = part.limits
  using _deadline = startDeadline(deps.clock, iterationTimeoutMs, () => expired.abort())
  try {
    return await runIteration(
      deps,
      { ...part, executionId: id, agentId, history, note: journal.note },
      AbortSignal.any([signal, expired.signal]),
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!expired.signal.aborted) throw error
    const message = `The iteration took longer than ${iterationTimeoutMs / 1000} s. Raise spec.execution.timeout_per_iteration or do less at a time.`
    return { kind: 'refused', output: '', failure: { cause: 'time_limit', message } }
  }
}

/** Writes how a run ended that did not come to its own end. */
async function concludeStopped(
  { clock, logger }: RunDeps,
  journal: ExecutionJournal,
  id: ExecutionId,
  signal: AbortSignal,
  error: unknown,
): Promise<void> {
  const at = clock.now()
  const reason = signal.aborted ? signal.reason : undefined
  if (reason instanceof StopReason) {
    if (reason.kind === 'interrupted') {
      await journal.decide({ type: 'interrupt', at })
      return
    }
    const outcome = stoppedOutcome(reason)
    await journal.decide({ type: 'end-iteration', outcome, maxIterations: 0, at })
    return
  }
  const message = 'AEGIS itself failed. The log of the daemon tells more; please report it.'
  // Rejects where not AEGIS failed but the store, which then is the journal's own error.
  await journal.decide({ type: 'fail', failure: { cause: 'internal', message }, at })
  logger.error({ err: error, executionId: id }, 'execution failed by a defect')
}

function stoppedOutcome({ kind, detail }: StopReason): IterationOutcome {
  if (kind === 'cancelled') return { kind, reason: detail }
  const message = `The execution took ${detail}. Raise spec.security.resources.timeout or do less.`
  return { kind: 'timed-out', output: '', failure: { cause: 'time_limit', message } }
}

function render(
  manifest: AgentManifest,
  input: unknown,
  iteration: number,
  history: ExistingExecution['history'],
): string | Failure {
  const { task } = manifest.spec
  const instruction = task.instruction ?? manifest.metadata.description ?? ''
  const template = task.prompt_template ?? '{{input}}'
  try {
    return renderPrompt({ template, instruction, input, iteration, history })
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    return { cause: 'prompt_failed', message: error.message }
  }
}

function existing(journal: ExecutionJournal): ExistingExecution {
  const { state } = journal
  if (state.status === 'absent') throw new Error('A running execution without a stream')
  return state
}
