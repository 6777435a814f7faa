import { AegisError } from '../kernel/aegis-error.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AgentId } from '../kernel/ids.ts'
import type { ResourceUsage } from '../sandbox/sandbox.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { ExecutionEvent, Failure, TerminalStatus } from './execution-event.ts'

export type Execution = { readonly status: 'absent' } | ExistingExecution

export interface ExistingExecution {
  readonly status: 'queued' | 'running' | TerminalStatus
  readonly agentId: AgentId
  readonly agentRevision: number
  readonly input: unknown
  readonly isolation: Isolation
  /** The iteration that was started last; 0 before the first. */
  readonly iteration: number
  /** The iterations that ended, oldest first: what the next one may learn from. */
  readonly history: readonly IterationRecord[]
  /** How often a node died while it ran. */
  readonly interruptions: number
  readonly cancelRequested: boolean
}

export interface IterationRecord {
  readonly iteration: number
  readonly output: string
  readonly failure: Failure | undefined
}

/** How one iteration ended, as the runner saw it and the validator judged it. */
export type IterationOutcome =
  | { readonly kind: 'accepted'; readonly output: string; readonly usage: ResourceUsage }
  | {
      readonly kind: 'refused'
      readonly output: string
      readonly failure: Failure
      readonly usage?: ResourceUsage | undefined
    }
  /** The deadline of the whole execution passed during it. */
  | { readonly kind: 'timed-out'; readonly output: string; readonly failure: Failure }
  | { readonly kind: 'cancelled'; readonly reason?: string | undefined }

export type ExecutionCommand = { readonly at: Instant } & (
  | {
      readonly type: 'queue'
      readonly event: Extract<ExecutionEvent, { type: 'execution.queued' }>
    }
  | { readonly type: 'start' }
  /** The node stops in good order. */
  | { readonly type: 'interrupt' }
  | { readonly type: 'recover'; readonly maxInterruptions: number }
  | { readonly type: 'cancel'; readonly reason?: string | undefined }
  | { readonly type: 'begin-iteration'; readonly iteration: number; readonly action: string }
  | {
      readonly type: 'end-iteration'
      readonly outcome: IterationOutcome
      /** A refused iteration is followed by another while fewer than this were made. */
      readonly maxIterations: number
    }
  /** It cannot even begin: the agent is gone, the template does not render. */
  | { readonly type: 'fail'; readonly failure: Failure }
)

/**
 * One run of an agent. While it is `running` a single writer owns its stream; whoever wants to
 * change it goes through that writer.
 */
export const execution = {
  initial: { status: 'absent' } as Execution,
  decide,
  evolve,
}

export const isTerminal = (status: string): status is TerminalStatus =>
  status === 'completed' || status === 'failed' || status === 'cancelled' || status === 'timed_out'

const terminalEvents: ReadonlySet<string> = new Set([
  'execution.completed',
  'execution.failed',
  'execution.cancelled',
  'execution.timed-out',
])

/** Whether an execution's stream ends with this event. */
export const isTerminalEvent = (type: string): boolean => terminalEvents.has(type)

function decide(state: Execution, command: ExecutionCommand): readonly ExecutionEvent[] {
  if (command.type === 'queue') {
    return state.status === 'absent' ? [command.event] : []
  }
  if (state.status === 'absent') {
    throw new AegisError(
      'not-found',
      'execution.absent',
      'No such execution. See `aegis task list`.',
    )
  }
  if (isTerminal(state.status)) return decideTerminal(state.status, command)
  const { at } = command
  switch (command.type) {
    case 'start':
      if (state.status === 'running') throw notNow('it runs already')
      return [{ type: 'execution.started', at }]
    case 'cancel':
      if (state.status === 'queued') {
        return [{ type: 'execution.cancelled', reason: command.reason, at }]
      }
      if (state.cancelRequested) return []
      return [{ type: 'execution.cancel-requested', reason: command.reason, at }]
    case 'interrupt':
      return [{ type: 'execution.interrupted', orderly: true, at }]
    case 'recover':
      return decideRecovery(state, command.maxInterruptions, at)
    case 'begin-iteration': {
      const { iteration, action } = command
      return [{ type: 'execution.iteration-started', iteration, action, at }]
    }
    case 'end-iteration':
      return decideEnd(state, command.outcome, command.maxIterations, at)
    case 'fail':
      return [
        { type: 'execution.failed', failure: command.failure, iterations: state.iteration, at },
      ]
  }
}

function decideTerminal(
  status: TerminalStatus,
  command: Exclude<ExecutionCommand, { type: 'queue' }>,
): readonly ExecutionEvent[] {
  if (command.type === 'cancel' || command.type === 'recover') return [] // A retry, and quietly fine.
  throw notNow(`it is ${status}`)
}

function decideRecovery(
  state: ExistingExecution,
  maxInterruptions: number,
  at: Instant,
): readonly ExecutionEvent[] {
  if (state.status !== 'running') return []
  if (state.cancelRequested) return [{ type: 'execution.cancelled', at }]
  if (state.interruptions < maxInterruptions) return [{ type: 'execution.interrupted', at }]
  const failure: Failure = {
    cause: 'interrupted',
    message: `The daemon stopped ${state.interruptions + 1} times while this ran. It is not tried again; look into the daemon's log, then execute the task anew.`,
  }
  return [{ type: 'execution.failed', failure, iterations: state.iteration, at }]
}

function decideEnd(
  state: ExistingExecution,
  outcome: IterationOutcome,
  maxIterations: number,
  at: Instant,
): readonly ExecutionEvent[] {
  const { iteration } = state
  switch (outcome.kind) {
    case 'accepted': {
      const { output, usage } = outcome
      return [
        { type: 'execution.iteration-completed', iteration, output, usage, at },
        { type: 'execution.completed', output, iterations: iteration, at },
      ]
    }
    case 'refused': {
      const { output, failure, usage } = outcome
      const refused: ExecutionEvent = {
        type: 'execution.iteration-failed',
        iteration,
        output,
        failure,
        usage,
        at,
      }
      const final = failure.cause === 'unsupported' || failure.cause === 'denied'
      if (iteration < maxIterations && !final) return [refused]
      return [refused, { type: 'execution.failed', failure, iterations: iteration, at }]
    }
    case 'timed-out': {
      const { output, failure } = outcome
      return [
        { type: 'execution.iteration-failed', iteration, output, failure, at },
        { type: 'execution.timed-out', failure, iterations: iteration, at },
      ]
    }
    case 'cancelled':
      return [{ type: 'execution.cancelled', reason: outcome.reason, at }]
  }
}

function evolve(state: Execution, event: ExecutionEvent): Execution {
  if (event.type === 'execution.queued') {
    const { agentId, agentRevision, input, isolation } = event
    return {
      status: 'queued',
      agentId,
      agentRevision,
      input,
      isolation,
      iteration: 0,
      history: [],
      interruptions: 0,
      cancelRequested: false,
    }
  }
  if (state.status === 'absent') throw new Error('An event of an execution that is not there')
  switch (event.type) {
    case 'execution.started':
      return { ...state, status: 'running' }
    case 'execution.interrupted':
      return {
        ...state,
        status: 'queued',
        interruptions: state.interruptions + (event.orderly ? 0 : 1),
      }
    case 'execution.iteration-started':
      return { ...state, iteration: event.iteration }
    case 'execution.iteration-completed':
      return remember(state, event.iteration, event.output, undefined)
    case 'execution.iteration-failed':
      return remember(state, event.iteration, event.output, event.failure)
    case 'execution.cancel-requested':
      return { ...state, cancelRequested: true }
    case 'execution.completed':
      return { ...state, status: 'completed' }
    case 'execution.failed':
      return { ...state, status: 'failed' }
    case 'execution.cancelled':
      return { ...state, status: 'cancelled' }
    case 'execution.timed-out':
      return { ...state, status: 'timed_out' }
    case 'execution.image-pulling':
    case 'execution.image-pulled':
    case 'execution.sandbox-booted':
    case 'execution.sandbox-terminated':
    case 'execution.console':
    case 'execution.llm-called':
    case 'execution.denied':
    case 'execution.name-asked':
    case 'execution.connecting':
    case 'execution.disconnected':
    case 'execution.secret-used':
      return state
  }
}

function remember(
  state: ExistingExecution,
  iteration: number,
  output: string,
  failure: Failure | undefined,
): ExistingExecution {
  return { ...state, history: [...state.history, { iteration, output, failure }] }
}

const notNow = (why: string): AegisError =>
  new AegisError('conflict', 'execution.state', `The execution cannot do that now: ${why}.`)
