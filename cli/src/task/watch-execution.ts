import { AegisError, type Failure, type TerminalStatus, type VersionedEvent } from '@aegis/core'
import { isTerminalEvent, type TerminalEvent } from '../log/terminal-event.ts'
import type { Connection } from '../node/connect.ts'
import type { CommandContext } from '../program/command-context.ts'

export interface Ended {
  readonly kind: 'ended'
  readonly status: TerminalStatus
  readonly output: string | undefined
  readonly failure: Failure | undefined
}

/** How watching ended; `detached` leaves the execution running. */
export type Outcome = Ended | { readonly kind: 'detached' }

export interface WatchOptions {
  readonly onItem: (item: VersionedEvent) => void
  /** What the first Ctrl-C does. After `detach`, a second one cancels. */
  readonly onInterrupt: 'detach' | 'cancel'
  /** Called before a note is written, to clear what is drawn. */
  readonly beforeNote: () => void
}

/** Somebody at a terminal gets this long to press Ctrl-C again and cancel. */
const secondThoughtsMs = 2000

/**
 * Follows an execution to its end.
 * @throws AegisError `unavailable` the node went away in the middle
 */
export async function watchExecution(
  context: CommandContext,
  { controlPlane }: Connection,
  id: string,
  options: WatchOptions,
): Promise<Outcome> {
  const stop = new AbortController()
  const note = (text: string) => {
    options.beforeNote()
    if (!context.terminal.json) context.terminal.note(text)
  }
  let cancelling: Promise<unknown> | undefined
  let detachTimer: NodeJS.Timeout | undefined
  const cancel = () => {
    clearTimeout(detachTimer)
    note('cancelling; Ctrl-C again stops waiting for it')
    cancelling = controlPlane.executions
      .cancel(id, 'Ctrl-C')
      .catch((error: unknown) => stop.abort(error))
  }
  const detach = () => {
    const canThinkAgain = context.terminal.interactive
    note(`still running; stop it with: aegis task cancel ${id}`)
    if (canThinkAgain) note('or press Ctrl-C again now to cancel it')
    detachTimer = setTimeout(() => stop.abort(), canThinkAgain ? secondThoughtsMs : 0)
  }
  using _ = context.interrupts.listen((count) => {
    const cancelsAt = options.onInterrupt === 'cancel' ? 1 : 2
    if (count < cancelsAt) detach()
    else if (count === cancelsAt) cancel()
    else stop.abort()
  })

  let last: TerminalEvent | undefined
  try {
    for await (const item of controlPlane.executions.events(id, { follow: true }, stop.signal)) {
      options.onItem(item)
      if (isTerminalEvent(item.event)) last = item.event
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    clearTimeout(detachTimer)
  }
  if (last !== undefined) {
    await cancelling
    return endedBy(last)
  }
  const { reason } = stop.signal
  if (reason instanceof AegisError) throw reason
  if (stop.signal.aborted) return { kind: 'detached' }
  throw new AegisError(
    'unavailable',
    'node.stream-ended',
    `The node stopped answering while execution ${id} was running`,
    { details: { help: `it goes on when the daemon is back: aegis task logs ${id} --follow` } },
  )
}

function endedBy(event: TerminalEvent): Ended {
  switch (event.type) {
    case 'execution.completed':
      return { kind: 'ended', status: 'completed', output: event.output, failure: undefined }
    case 'execution.failed':
      return { kind: 'ended', status: 'failed', output: undefined, failure: event.failure }
    case 'execution.timed-out':
      return { kind: 'ended', status: 'timed_out', output: undefined, failure: event.failure }
    case 'execution.cancelled':
      return { kind: 'ended', status: 'cancelled', output: undefined, failure: undefined }
  }
}
