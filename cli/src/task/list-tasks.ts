import type { ExecutionStatus, ExecutionSummary } from '@aegis/core'
import { executionSummaryToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatAge, formatMs } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { paintStatus } from './paint-status.ts'

export const listTasks: CommandHandler<{
  readonly agentId?: string
  readonly agent?: string
  readonly status?: ExecutionStatus
  readonly limit: number
}> = async (context, _, { agentId, agent, status, limit }) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { agents, executions } = connection.controlPlane
  const ref = agentId ?? agent
  // Asked for first, so that an agent that is not there is an error and not an empty list.
  const agentRef = ref === undefined ? undefined : (await agents.find(ref)).id
  const found = await executions.list({ agentRef, status, limit })
  if (terminal.json) {
    terminal.document(found.map(executionSummaryToWire))
  } else if (found.length === 0) {
    terminal.line(
      ref === undefined && status === undefined ? 'No executions yet.' : 'No such executions.',
    )
    terminal.line(terminal.style.dim('Run a task: aegis task execute <agent> --input "..." --wait'))
  } else {
    terminal.line(`${count(found.length, 'execution')}:`)
    const { columns, style } = terminal
    terminal.line(renderTable(columnsOf(style, Date.now()), found, { columns, title: style.dim }))
  }
  return exitCodes.success
}

function columnsOf(style: Style, nowMs: number): readonly Column<ExecutionSummary>[] {
  return [
    { title: 'ID', value: (execution) => execution.id },
    {
      title: 'AGENT',
      value: (execution) => execution.agentName,
      paint: style.bold,
      flexible: true,
    },
    {
      title: 'STATUS',
      value: (execution) => execution.status,
      paint: (text, execution) => paintStatus(style, execution.status)(text),
    },
    { title: 'QUEUED', value: (execution) => formatAge(execution.queuedAt, nowMs) },
    { title: 'TOOK', value: took, align: 'right' },
    {
      title: 'TOKENS',
      value: (execution) => String(execution.promptTokens + execution.completionTokens),
      align: 'right',
    },
    { title: 'CAUSE', value: (execution) => execution.failure?.cause ?? '', flexible: true },
  ]
}

function took({ startedAt, endedAt }: ExecutionSummary): string {
  if (startedAt === undefined || endedAt === undefined) return ''
  return formatMs(Date.parse(endedAt) - Date.parse(startedAt))
}
