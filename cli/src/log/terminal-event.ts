import type { ExecutionEvent } from '@aegis/core'

export type TerminalEvent = Extract<
  ExecutionEvent,
  {
    readonly type:
      | 'execution.completed'
      | 'execution.failed'
      | 'execution.cancelled'
      | 'execution.timed-out'
  }
>

/** Whether nothing can follow this event. */
export function isTerminalEvent(event: ExecutionEvent): event is TerminalEvent {
  switch (event.type) {
    case 'execution.completed':
    case 'execution.failed':
    case 'execution.cancelled':
    case 'execution.timed-out':
      return true
    default:
      return false
  }
}
