import type { SecretSummary } from '@aegis/core'
import { secretSummaryToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatAge } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'

export const listSecrets: CommandHandler<object> = async (context) => {
  const { terminal } = context
  await using connection = await context.connect()
  const secrets = await connection.controlPlane.secrets.list()
  if (terminal.json) {
    terminal.document(secrets.map(secretSummaryToWire))
    return exitCodes.success
  }
  const { columns, style } = terminal
  if (secrets.length === 0) {
    terminal.line('There are no secrets yet.')
    terminal.line(style.dim('Keep one: aegis secret set github --agent coder --to api.github.com'))
    return exitCodes.success
  }
  terminal.line(`${count(secrets.length, 'secret')}:`)
  terminal.line(
    renderTable(secretColumns(style, Date.now()), secrets, { columns, title: style.dim }),
  )
  const damaged = secrets.filter(({ state }) => state !== 'intact')
  if (damaged.length > 0) {
    terminal.note(
      `Something else than AEGIS changed ${count(damaged.length, 'secret')}. Set or remove what is not intact.`,
    )
  }
  return exitCodes.success
}

function secretColumns(style: Style, nowMs: number): readonly Column<SecretSummary>[] {
  return [
    { title: 'NAME', value: ({ name }) => name, paint: style.bold },
    { title: 'AGENTS', value: ({ agents }) => agents.join(', '), flexible: true },
    { title: 'SENT TO', value: ({ hosts }) => hosts.join(', '), flexible: true },
    { title: 'STANDS IN', value: ({ places }) => places.join(', '), flexible: true },
    { title: 'CHANGED', value: ({ updatedAt }) => formatAge(updatedAt, nowMs), align: 'right' },
    {
      title: 'STATE',
      value: ({ state }) => state,
      paint: (text, { state }) => (state === 'intact' ? style.good(text) : style.bad(text)),
    },
  ]
}
