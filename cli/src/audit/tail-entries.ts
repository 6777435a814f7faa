import type { LoggedEntry } from '@aegis/core'
import { loggedEntryToWire } from '@aegis/http-contract'
import { streamUntilInterrupted } from '../log/stream-until-interrupted.ts'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { describeEntry } from './describe-entry.ts'
import { type FilterOptions, filterOf } from './entry-filter.ts'

export const tailEntries: CommandHandler<FilterOptions & { readonly lines: number }> = async (
  context,
  _,
  { lines, ...options },
) => {
  const { terminal } = context
  const query = filterOf(options)
  await using connection = await context.connect()
  const { audit } = connection.controlPlane
  const print = (logged: LoggedEntry): void => {
    if (terminal.json) terminal.item(loggedEntryToWire(logged))
    else terminal.line(lineOf(terminal, logged))
  }
  const [newest] = await audit.list({ limit: 1 }, AbortSignal.timeout(60_000))
  const latest = await untilInterrupted(context, (signal) =>
    audit.list({ ...query, limit: lines }, signal),
  )
  if (latest === 'interrupted') return exitCodes.interrupted
  for (const logged of latest.toReversed()) print(logged)
  // Behind what was there before the list was read, so that nothing in between is missed.
  const from = Math.max(newest?.index ?? -1, latest[0]?.index ?? -1) + 1
  await streamUntilInterrupted(context, (signal) => audit.follow({ ...query, from }, signal), print)
  return exitCodes.interrupted
}

function lineOf({ style }: Terminal, { index, entry }: LoggedEntry): string {
  if (entry === undefined) return `${index}  ${style.dim('dropped')}`
  const { at, type, actor = '-', executionId } = entry
  const task = executionId === undefined ? '' : ` ${style.dim(executionId.slice(0, 8))}`
  const about = sanitiseLine(describeEntry(entry))
  return `${style.dim(`${index} ${at}`)} ${style.bold(sanitiseLine(type))}${task} ${sanitiseLine(actor)}  ${about}`
}
