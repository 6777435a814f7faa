import { AegisError, type AgentExecutionEvent } from '@aegis/core'
import { eventFromWire } from '@aegis/http-contract'

/** @throws AegisError `unavailable` / `node.bad-answer` when the client does not know the event */
export function readEvent(data: string): AgentExecutionEvent {
  try {
    return eventFromWire(JSON.parse(data))
  } catch (cause) {
    throw new AegisError(
      'unavailable',
      'node.bad-answer',
      'The node sent an event that this client does not understand. Use a client of the same version as the node.',
      { cause },
    )
  }
}
