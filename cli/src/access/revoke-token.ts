import { tokenFactsToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'

export const revokeToken: CommandHandler<object> = async (context, [ref = '']) => {
  const { terminal } = context
  await using connection = await context.connect()
  const token = await connection.controlPlane.tokens.revoke(ref)
  if (terminal.json) terminal.document(tokenFactsToWire(token))
  else terminal.line(sanitiseLine(`Revoked ${token.name} (${token.id}): it opens nothing any more`))
  return exitCodes.success
}
