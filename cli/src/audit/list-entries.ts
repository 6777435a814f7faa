import type { LoggedEntry } from '@aegis/core'
import { loggedEntryToWire } from '@aegis/http-contract'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatAge } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { describeEntry } from './describe-entry.ts'
import { type FilterOptions, filterOf } from './entry-filter.ts'

export const listEntries: CommandHandler<
  FilterOptions & { readonly before?: number; readonly limit: number }
> = async (context, _, { before, limit, ...options }) => {
  const { terminal } = context
  const query = { ...filterOf(options), before, limit }
  await using connection = await context.connect()
  const { audit } = connection.controlPlane
  const found = await untilInterrupted(context, (signal) => audit.list(query, signal))
  if (found === 'interrupted') return exitCodes.interrupted
  if (terminal.json) terminal.document(found.map(loggedEntryToWire))
  else if (found.length === 0) terminal.line('No such entries.')
  else {
    const { columns, style } = terminal
    terminal.line(renderTable(columnsOf(style, Date.now()), found, { columns, title: style.dim }))
  }
  return exitCodes.success
}

const columnsOf = (style: Style, nowMs: number): readonly Column<LoggedEntry>[] => [
  { title: 'INDEX', value: ({ index }) => String(index), align: 'right' },
  { title: 'WHEN', value: ({ entry }) => (entry === undefined ? '' : formatAge(entry.at, nowMs)) },
  { title: 'TYPE', value: ({ entry }) => entry?.type ?? '', paint: style.bold },
  { title: 'ACTOR', value: ({ entry }) => entry?.actor ?? '', flexible: true },
  { title: 'TASK', value: ({ entry }) => entry?.executionId?.slice(0, 8) ?? '' },
  {
    title: 'ABOUT',
    value: ({ entry }) => (entry === undefined ? '' : describeEntry(entry)),
    flexible: true,
  },
]
