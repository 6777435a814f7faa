import type { VersionedEvent } from '@aegis/core'

/** One line of a stream of events. */
export const eventJson = (executionId: string, { version, event }: VersionedEvent) => ({
  execution_id: executionId,
  version,
  event,
})
