import { type ExecutionEvent, isTerminalEvent } from '@aegis/core'
import type { ControlPlane } from '@aegis/sdk'

const forever = new AbortController().signal

/** From the call of the API to the first thing the agent prints, as a client sees it. */
export async function untilFirstOutput(plane: ControlPlane, agent: string): Promise<void> {
  await untilEvent(plane, agent, '', ({ type }) => type === 'execution.console')
}

/** From the call of the API to the last event, as a client sees it. */
export async function untilEnd(plane: ControlPlane, agent: string, input = ''): Promise<void> {
  const last = await untilEvent(plane, agent, input, ({ type }) => isTerminalEvent(type))
  if (last.type !== 'execution.completed') throw new Error(JSON.stringify(last))
}

async function untilEvent(
  plane: ControlPlane,
  agent: string,
  input: string,
  wanted: (event: ExecutionEvent) => boolean,
): Promise<ExecutionEvent> {
  const id = await plane.executions.execute(agent, input)
  for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
    if (wanted(event)) return event
    if (isTerminalEvent(event.type)) throw new Error(JSON.stringify(event))
  }
  throw new Error(`Execution ${id} has no end`)
}
