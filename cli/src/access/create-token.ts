import type { Role } from '@aegis/core'
import { createdTokenToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { formatScope } from './token-table.ts'

interface Options {
  readonly role: Role
  readonly scope?: readonly string[]
  readonly agent?: readonly string[]
  /** In milliseconds. */
  readonly expires: number | 'never'
}

/** Nothing but the token goes to stdout, so that a script can keep it. */
export const createToken: CommandHandler<Options> = async (
  context,
  [name = ''],
  { role, scope: actions, agent: agents, expires },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const scope = { ...(actions && { actions }), ...(agents && { agents }) }
  const isNarrowed = actions !== undefined || agents !== undefined
  const created = await connection.controlPlane.tokens.create({
    name,
    role,
    ...(isNarrowed && { scope }),
    lifetimeMs: expires === 'never' ? null : expires,
  })
  if (terminal.json) {
    terminal.document(createdTokenToWire(created))
    return exitCodes.success
  }
  const { token, text } = created
  terminal.line(text.reveal())
  const { noteStyle: style } = terminal
  const narrowed = token.scope === undefined ? '' : `, only ${formatScope(token.scope)}`
  const ends = token.expiresAt === undefined ? 'never expires' : `expires ${token.expiresAt}`
  terminal.note(sanitiseLine(`Token ${token.name} (${token.id}): ${role}${narrowed}, ${ends}.`))
  terminal.note(
    style.dim('It is shown this once. Whoever has it gives it as AEGIS_TOKEN; end it with:'),
  )
  terminal.note(style.dim(sanitiseLine(`  aegis token revoke ${token.name}`)))
  return exitCodes.success
}
