import type { SandboxState } from '@aegis/core'
import stringWidth from 'string-width'
import { formatBytes, formatSpan } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import type { SandboxUsage } from './sandbox-usage.ts'

export interface SandboxTableOptions {
  readonly style: Style
  readonly nowMs: number
  /** Of the terminal; where it is too narrow for all of them, the least telling are left out. */
  readonly columns: number
  readonly rows: number
  /** Also the sandboxes that run nothing. */
  readonly all: boolean
}

/** How many sandboxes there are, and a line for each. */
export function sandboxTable(
  usages: readonly SandboxUsage[],
  options: SandboxTableOptions,
): readonly string[] {
  const { style, rows, all } = options
  const shown = usages.filter(({ sandbox }) => all || sandbox.state === 'hot')
  const head = style.bold(summaryOf(usages))
  if (shown.length === 0) return [head]
  const [titles = '', ...lines] = fittingTable(shown, options).split('\n')
  // The summary, the titles, and the line that the cursor stands in.
  const room = Math.max(1, rows - 3)
  if (lines.length <= room) return [head, titles, ...lines]
  const kept = lines.slice(0, room - 1)
  return [head, titles, ...kept, style.dim(`… and ${lines.length - kept.length} more`)]
}

/** `2 running, 1 warm, 3 booting`. */
function summaryOf(usages: readonly SandboxUsage[]): string {
  const inState = (state: SandboxState) =>
    usages.filter(({ sandbox }) => sandbox.state === state).length
  return `${inState('hot')} running, ${inState('warm')} warm, ${inState('cold')} booting`
}

function fittingTable(
  usages: readonly SandboxUsage[],
  { style, nowMs, columns }: SandboxTableOptions,
): string {
  let table = ''
  for (const dropped of dropOrder) {
    const kept = tableColumns(style, nowMs).filter(({ title }) => !dropped.includes(title))
    table = renderTable(kept, usages, { columns, title: style.dim })
    if (table.split('\n').every((line) => stringWidth(line) <= columns)) return table
  }
  return table
}

const dropOrder: readonly (readonly string[])[] = [
  [],
  ['READ', 'WRITTEN'],
  ['READ', 'WRITTEN', 'PEAK', 'ISOLATION'],
  ['READ', 'WRITTEN', 'PEAK', 'ISOLATION', 'LIMIT', 'PIDS'],
]

function tableColumns(style: Style, nowMs: number): readonly Column<SandboxUsage>[] {
  const bytes = (title: string, value: (usage: SandboxUsage) => number | undefined) =>
    ({
      title,
      value: (usage) => orDash(value(usage), formatBytes),
      align: 'right',
    }) satisfies Column<SandboxUsage>
  return [
    { title: 'TASK', value: ({ sandbox }) => sandbox.executionId ?? '-', flexible: true },
    {
      title: 'AGENT',
      value: ({ sandbox }) => sandbox.agentName,
      paint: style.bold,
      flexible: true,
    },
    {
      title: 'STATE',
      value: ({ sandbox }) => sandbox.state,
      paint: (text, { sandbox }) => paintState(style, sandbox.state)(text),
    },
    { title: 'ISOLATION', value: ({ sandbox }) => sandbox.isolation },
    {
      title: 'CPU %',
      value: ({ cpuPercent }) => orDash(cpuPercent, (percent) => percent.toFixed(1)),
      align: 'right',
    },
    bytes('MEMORY', ({ sandbox }) => sandbox.stats?.memoryBytes),
    bytes('PEAK', ({ sandbox }) => sandbox.stats?.memoryPeakBytes),
    bytes('LIMIT', ({ sandbox }) => sandbox.limits.memoryBytes),
    bytes('READ', ({ sandbox }) => sandbox.stats?.ioReadBytes),
    bytes('WRITTEN', ({ sandbox }) => sandbox.stats?.ioWriteBytes),
    { title: 'PIDS', value: ({ sandbox }) => orDash(sandbox.stats?.pids, String), align: 'right' },
    {
      title: 'AGE',
      value: ({ sandbox }) => formatSpan(nowMs - Date.parse(sandbox.since)),
      align: 'right',
    },
  ]
}

const orDash = (value: number | undefined, format: (value: number) => string): string =>
  value === undefined ? '-' : format(value)

function paintState(style: Style, state: SandboxState): (text: string) => string {
  switch (state) {
    case 'hot':
      return style.accent
    case 'warm':
      return style.good
    case 'cold':
    case 'terminated':
      return style.dim
    case 'failed':
      return style.bad
  }
}
