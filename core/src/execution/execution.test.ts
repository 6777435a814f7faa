import { describe, expect, it } from 'vitest'
import { agentId } from '../kernel/ids.ts'
import { type ExecutionCommand, execution, type IterationOutcome } from './execution.ts'
import type { ExecutionEvent, Failure } from './execution-event.ts'

const at = '2026-01-01T00:00:00.000Z'
const usage = { cpuUserMs: 1, cpuSystemMs: 1, maxRssBytes: 1 }
const failure: Failure = { cause: 'exit_code', message: 'It failed.', exitCode: 1 }

const queued: ExecutionEvent = {
  type: 'execution.queued',
  agentId: agentId('a'),
  agentName: 'echo',
  agentRevision: 1,
  input: 'hi',
  priority: 0,
  isolation: 'process',
  cpuMillicores: 250,
  memoryBytes: 1,
  at,
}
const started: ExecutionEvent = { type: 'execution.started', at }
const begun: ExecutionEvent = { type: 'execution.iteration-started', iteration: 1, action: 'p', at }

const given = (...events: ExecutionEvent[]) => ({
  when: (command: ExecutionCommand) =>
    execution.decide(events.reduce(execution.evolve, execution.initial), command),
})
const types = (events: readonly ExecutionEvent[]) => events.map(({ type }) => type)
const end = (outcome: IterationOutcome, maxIterations: number): ExecutionCommand => ({
  type: 'end-iteration',
  outcome,
  maxIterations,
  at,
})

describe('an execution', () => {
  it('completes with its first accepted iteration', () => {
    const outcome = { kind: 'accepted', output: 'done', usage } as const
    expect(given(queued, started, begun).when(end(outcome, 5))).toEqual([
      { type: 'execution.iteration-completed', iteration: 1, output: 'done', usage, at },
      { type: 'execution.completed', output: 'done', iterations: 1, at },
    ])
  })

  it('tries again after a refused iteration while tries are left', () => {
    const outcome = { kind: 'refused', output: '', failure } as const
    expect(types(given(queued, started, begun).when(end(outcome, 2)))).toEqual([
      'execution.iteration-failed',
    ])
  })

  it('fails with the last refusal when no tries are left', () => {
    const outcome = { kind: 'refused', output: '', failure } as const
    expect(given(queued, started, begun).when(end(outcome, 1)).at(-1)).toEqual({
      type: 'execution.failed',
      failure,
      iterations: 1,
      at,
    })
  })

  it('does not try again what this host cannot do at all', () => {
    const outcome: IterationOutcome = {
      kind: 'refused',
      output: '',
      failure: { cause: 'unsupported', message: 'No.' },
    }
    expect(types(given(queued, started, begun).when(end(outcome, 5)))).toContain('execution.failed')
  })

  it('is cancelled at once while it waits', () => {
    expect(types(given(queued).when({ type: 'cancel', at }))).toEqual(['execution.cancelled'])
  })

  it('notes the wish to cancel once while it runs', () => {
    const wish = given(queued, started).when({ type: 'cancel', reason: 'enough', at })
    expect(wish).toEqual([{ type: 'execution.cancel-requested', reason: 'enough', at }])
    expect(given(queued, started, ...wish).when({ type: 'cancel', at })).toEqual([])
  })

  it('goes back to the queue when its daemon died', () => {
    const recover: ExecutionCommand = { type: 'recover', maxInterruptions: 1, at }
    const interrupted = given(queued, started, begun).when(recover)
    expect(types(interrupted)).toEqual(['execution.interrupted'])
    const state = [queued, started, begun, ...interrupted].reduce(
      execution.evolve,
      execution.initial,
    )
    expect(state).toMatchObject({ status: 'queued', interruptions: 1 })
  })

  it('fails when daemons died of it too often', () => {
    const recover: ExecutionCommand = { type: 'recover', maxInterruptions: 0, at }
    const failed = given(queued, started).when(recover)
    expect(failed).toMatchObject([{ type: 'execution.failed', failure: { cause: 'interrupted' } }])
  })

  it('is cancelled by recovery when that was asked before its daemon died', () => {
    const wish: ExecutionEvent = { type: 'execution.cancel-requested', at }
    const recover: ExecutionCommand = { type: 'recover', maxInterruptions: 5, at }
    expect(types(given(queued, started, wish).when(recover))).toEqual(['execution.cancelled'])
  })

  it('stays as it ended, whatever comes later', () => {
    const completed: ExecutionEvent = {
      type: 'execution.completed',
      output: 'x',
      iterations: 1,
      at,
    }
    expect(given(queued, started, completed).when({ type: 'cancel', at })).toEqual([])
    expect(() => given(queued, started, completed).when({ type: 'start', at })).toThrow('completed')
  })
})
