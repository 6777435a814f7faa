import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { AgentQueries } from '../agent/agent-queries.ts'
import type { PinnedImage } from '../image/image-store.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { EventStore } from '../kernel/event-store.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import type { SandboxRecipe } from '../pool/sandbox-recipe.ts'
import type { WarmPool } from '../pool/warm-pool.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Isolation, SandboxLimits } from '../sandbox/sandbox-spec.ts'
import { startDeadline } from './deadline.ts'
import { type ExistingExecution, type IterationOutcome, isTerminal } from './execution.ts'
import type { Failure } from './execution-event.ts'
import { type ExecutionJournal, openJournal } from './execution-journal.ts'
import { type ImageSource, makeImageSource } from './image-source.ts'
import { type LiveExecution, type LiveExecutions, StopReason } from './live-executions.ts'
import { renderPrompt } from './render-prompt.ts'
import { type IterationDeps, type IterationPlan, runIteration } from './run-iteration.ts'

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
  readonly pool: Pick<WarmPool, 'claim' | 'holds'> | undefined
}

/**
 * Runs one queued execution to its terminal event: iteration after iteration, each in a fresh
 * sandbox, until one is accepted, the tries or the time are used up, or somebody cancels it.
 * When the node shuts down, it goes back to the queue. It settles when its last sandbox is gone, and
 * rejects only when the store fails.
 */
export function makeRunExecution(deps: RunDeps): (id: ExecutionId) => Promise<void> {
  return async (id) => {
    using live = deps.live.enter(id)
    const journal = await openJournal(deps.events, id)
    // Cancelled, or taken by an earlier wake, before its turn came.
    if (journal.state.status !== 'queued') return
    const started = journal.decide({ type: 'start', at: deps.clock.now() })
    const last = { gone: Promise.resolve() }
    try {
      await bothEnded(iterate(deps, journal, { id, live, last }), started)
    } catch (error) {
      await concludeStopped(deps, journal, id, live.signal, error)
    } finally {
      await last.gone
    }
  }
}

interface Run {
  readonly id: ExecutionId
  readonly live: LiveExecution
  /** The sandbox of the iteration before. */
  readonly last: { gone: Promise<void> }
}

/** What was done while something was stored; rejects no sooner than both are over. */
async function bothEnded<Done>(work: Promise<Done>, stored: Promise<unknown>): Promise<Done> {
  const [done, kept] = await Promise.allSettled([work, stored])
  if (kept.status === 'rejected') throw kept.reason
  if (done.status === 'rejected') throw done.reason
  return done.value
}

/** What every iteration of an execution shares. */
interface Prepared extends SandboxRecipe {
  readonly limits: ExecutionLimits
  readonly maxIterations: number
}

async function iterate(deps: RunDeps, journal: ExecutionJournal, run: Run): Promise<void> {
  const { clock } = deps
  const { live, last } = run
  const prepared = await prepare(deps, existing(journal))
  if ('cause' in prepared) {
    await journal.decide({ type: 'fail', failure: prepared, at: clock.now() })
    return
  }
  // Fetching an image is no time of the agent's.
  const fetchImage = makeImageSource(deps, journal, prepared)
  const image = await imageOf(deps, prepared, fetchImage, live.signal)
  if (image !== undefined && 'cause' in image) {
    await journal.decide({ type: 'fail', failure: image, at: clock.now() })
    return
  }
  const { timeoutMs } = prepared.limits
  using _deadline = startDeadline(clock, timeoutMs, () =>
    live.abort(new StopReason('timed-out', `longer than ${timeoutMs / 1000} s`)),
  )
  while (!isTerminal(journal.state.status)) {
    const { history, input } = existing(journal)
    // An interrupted iteration is run again under its own number.
    const iteration = history.length + 1
    const prompt = render(prepared.manifest, input, iteration, history)
    if (typeof prompt !== 'string') {
      await journal.decide({ type: 'fail', failure: prompt, at: clock.now() })
      return
    }
    await last.gone
    // Not awaited: the sandbox boots while this is stored, and what follows is stored behind it.
    const begun = journal.decide({
      type: 'begin-iteration',
      iteration,
      action: prompt,
      at: clock.now(),
    })
    const part = { ...prepared, image, fetchImage, iteration, prompt, history }
    const outcome = await bothEnded(timedIteration(deps, journal, part, run), begun)
    const { maxIterations } = prepared
    await journal.decide({ type: 'end-iteration', outcome, maxIterations, at: clock.now() })
  }
}

/** What it boots from, fetched when it has to be. */
async function imageOf(
  { pool }: RunDeps,
  recipe: Prepared,
  fetchImage: ImageSource,
  signal: AbortSignal,
): Promise<PinnedImage | Failure | undefined> {
  const { runtime, image: pin } = recipe
  // What waits was booted from it. Where another takes that first, it is fetched after all.
  if (runtime.images !== undefined && pin !== undefined && pool?.holds(recipe)) return pin
  try {
    return await fetchImage(signal)
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
  const limits = limitsOf(manifest)
  return { agentId, agentRevision, manifest, image, runtime, limits, maxIterations }
}

type IterationPart = Prepared &
  Pick<IterationPlan, 'fetchImage' | 'iteration' | 'prompt' | 'history'>

/** One iteration within its own time; running out of that refuses the iteration, no more. */
async function timedIteration(
  deps: RunDeps,
  { note, hold }: ExecutionJournal,
  part: IterationPart,
  { id: executionId, live, last }: Run,
): Promise<IterationOutcome> {
  const { signal } = live
  const expired = new AbortController()
  const { iterationTimeoutMs } = part.limits
  using _deadline = startDeadline(deps.clock, iterationTimeoutMs, () => expired.abort())
  const onLeave = (gone: Promise<void>): void => {
    last.gone = Promise.all([last.gone, gone]).then(() => undefined)
  }
  try {
    return await runIteration(
      deps,
      { ...part, executionId, note, hold, onLeave },
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
