import type { AgentStatus, AgentSummary } from '@aegis/core'
import { agentSummaryToWire } from '@aegis/http-contract'
import { shortImageId } from '../image/name-image.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'

export const listAgents: CommandHandler<object> = async (context) => {
  const { terminal } = context
  await using connection = await context.connect()
  const agents = await connection.controlPlane.agents.list()
  if (terminal.json) {
    terminal.document(agents.map(agentSummaryToWire))
  } else if (agents.length === 0) {
    terminal.line('No agents are deployed.')
    terminal.line(terminal.style.dim('Deploy one: aegis agent deploy <manifest>'))
  } else {
    terminal.line(`${count(agents.length, 'agent')}:`)
    const { columns, style } = terminal
    terminal.line(renderTable(columnsOf(style, agents), agents, { columns, title: style.dim }))
  }
  return exitCodes.success
}

function columnsOf(style: Style, agents: readonly AgentSummary[]): readonly Column<AgentSummary>[] {
  const hasImages = agents.some(({ image }) => image !== undefined)
  return [
    { title: 'ID', value: (agent) => agent.id },
    { title: 'NAME', value: (agent) => agent.name, paint: style.bold },
    { title: 'VERSION', value: (agent) => agent.version, flexible: true },
    {
      title: 'STATUS',
      value: (agent) => agent.status,
      paint: (text, agent) => paintAgentStatus(style, agent.status)(text),
    },
    { title: 'RUNS', value: (agent) => String(agent.executionCount), align: 'right' },
    ...(hasImages ? [imageColumn] : []),
    { title: 'DESCRIPTION', value: (agent) => agent.description, flexible: true },
  ]
}

const imageColumn: Column<AgentSummary> = {
  title: 'IMAGE',
  value: ({ image }) =>
    image === undefined ? '' : `${image.reference} (${shortImageId(image.id)})`,
  flexible: true,
}

function paintAgentStatus(style: Style, status: AgentStatus): (text: string) => string {
  switch (status) {
    case 'active':
      return style.good
    case 'paused':
      return style.warning
    case 'archived':
      return style.dim
    case 'failed':
      return style.bad
  }
}
