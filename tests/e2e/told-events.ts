import type { ExecutionEvent } from '@aegis/core'
import { streamedEvent } from '@aegis/http-contract'
import type { AegisCommand, Ran } from './aegis-command.ts'

const lineSchema = streamedEvent.pick({ execution_id: true, version: true, event: true })

/** One execution as a command told of it. */
export interface ToldExecution {
  readonly code: Ran['code']
  readonly id: string
  readonly events: readonly ExecutionEvent[]
}

/** Runs a task to its end and reads what happened from the JSON lines of the command. */
export async function followTask(
  aegis: Pick<AegisCommand, 'run'>,
  ...args: readonly string[]
): Promise<ToldExecution> {
  const { code, stdout, stderr } = await aegis.run('--json', 'task', 'execute', ...args, '--follow')
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineSchema.parse(JSON.parse(line)))
  const id = lines[0]?.execution_id
  if (id === undefined) throw new Error(`aegis task execute ${args.join(' ')}: ${stderr}`)
  return { code, id, events: lines.map(({ event }) => event) }
}

/** The types of its events in their order. How often output was looked at meanwhile is chance. */
export function sequenceOf(events: readonly ExecutionEvent[]): readonly string[] {
  const types = events.map((event) =>
    event.type === 'execution.console'
      ? `${event.type} ${event.iteration} ${event.stream}`
      : event.type,
  )
  return types.filter(
    (type, at) => !type.startsWith('execution.console') || types.indexOf(type) === at,
  )
}

/** All that was printed to one stream. */
export function printedTo(stream: 'stdout' | 'stderr', events: readonly ExecutionEvent[]): string {
  return events
    .flatMap((event) =>
      event.type === 'execution.console' && event.stream === stream ? [event.text] : [],
    )
    .join('')
}
