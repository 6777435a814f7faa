import { tokenStateAt } from '@aegis/core'
import { tokenFactsToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count } from '../terminal/format.ts'
import { renderTable } from '../terminal/table.ts'
import { tokenColumns } from './token-table.ts'

export const listTokens: CommandHandler<{ readonly all?: boolean }> = async (
  context,
  _,
  { all = false },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const nowMs = Date.now()
  const now = new Date(nowMs).toISOString()
  const tokens = (await connection.controlPlane.tokens.list()).filter(
    (token) => all || tokenStateAt(token, now) === 'active',
  )
  if (terminal.json) {
    terminal.document(tokens.map(tokenFactsToWire))
  } else if (tokens.length === 0) {
    terminal.line('Nobody has a token but the owner of this AEGIS_HOME.')
    terminal.line(terminal.style.dim('Make one: aegis token create <name> --role developer'))
  } else {
    terminal.line(`${count(tokens.length, 'token')}:`)
    const { columns, style } = terminal
    terminal.line(renderTable(tokenColumns(style, nowMs), tokens, { columns, title: style.dim }))
  }
  return exitCodes.success
}
