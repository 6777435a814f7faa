import type { ExecutionDetail, IterationDetail } from '../control-plane.ts'
import type { EventStore } from '../kernel/event-store.ts'
import { pageThrough } from '../kernel/page-through.ts'
import type { ExecutionEvent } from './execution-event.ts'
import { executionEventOf, executionStream } from './execution-journal.ts'
import type { ExecutionSummary } from './execution-queries.ts'

/** All there is to know of an execution but its log: the fold of its events. */
export async function describeExecution(
  events: EventStore,
  summary: ExecutionSummary,
): Promise<ExecutionDetail> {
  let detail: ExecutionDetail = {
    ...summary,
    input: undefined,
    output: undefined,
    iterationDetails: [],
  }
  for await (const record of pageThrough(events, executionStream(summary.id))) {
    detail = evolve(detail, executionEventOf(record))
  }
  return detail
}

function evolve(detail: ExecutionDetail, event: ExecutionEvent): ExecutionDetail {
  switch (event.type) {
    case 'execution.queued':
      return { ...detail, input: event.input }
    case 'execution.iteration-started': {
      const begun: IterationDetail = {
        number: event.iteration,
        status: 'running',
        output: undefined,
        error: undefined,
        startedAt: event.at,
        endedAt: undefined,
      }
      // An interrupted iteration is begun anew under its own number.
      const others = detail.iterationDetails.filter(({ number }) => number !== event.iteration)
      return { ...detail, iterationDetails: [...others, begun] }
    }
    case 'execution.iteration-completed':
      return endIteration(detail, event.iteration, {
        status: 'success',
        output: event.output,
        endedAt: event.at,
      })
    case 'execution.iteration-failed':
      return endIteration(detail, event.iteration, {
        status: 'failed',
        output: event.output,
        error: event.failure.message,
        endedAt: event.at,
      })
    case 'execution.completed':
      return { ...detail, output: event.output }
    default:
      return detail
  }
}

function endIteration(
  detail: ExecutionDetail,
  number: number,
  end: Partial<IterationDetail>,
): ExecutionDetail {
  const iterationDetails = detail.iterationDetails.map((one) =>
    one.number === number ? { ...one, ...end } : one,
  )
  return { ...detail, iterationDetails }
}
