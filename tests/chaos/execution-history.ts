import { type ControlPlane, type ExecutionEvent, isTerminalEvent } from '@aegis/core'
import { expect } from 'vitest'

export const forever = new AbortController().signal

/**
 * Follows an execution to its end and gives all its events, having checked that their versions are
 * gapless and that one of them, the last, is terminal.
 */
export async function historyOf(
  plane: ControlPlane,
  id: string,
): Promise<readonly ExecutionEvent[]> {
  const events: ExecutionEvent[] = []
  for await (const { version, event } of plane.executions.events(id, { follow: true }, forever)) {
    events.push(event)
    expect(version, `version of an event of ${id}`).toBe(events.length)
  }
  const terminal = events.filter(({ type }) => isTerminalEvent(type))
  expect(terminal, `terminal events of ${id}`).toEqual([events.at(-1)])
  return events
}

/** Resolves with the first event of this type. */
export async function firstEvent<Type extends ExecutionEvent['type']>(
  plane: ControlPlane,
  id: string,
  type: Type,
): Promise<Extract<ExecutionEvent, { type: Type }>> {
  const isWanted = (event: ExecutionEvent): event is Extract<ExecutionEvent, { type: Type }> =>
    event.type === type
  for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
    if (isWanted(event)) return event
  }
  throw new Error(`Execution ${id} ended without ${type}`)
}
