import { whoAmIToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { formatScope } from './token-table.ts'

export const whoami: CommandHandler<object> = async (context) => {
  const { terminal } = context
  await using connection = await context.connect()
  const who = await connection.controlPlane.tokens.whoami()
  if (terminal.json) {
    terminal.document(whoAmIToWire(who))
    return exitCodes.success
  }
  printFacts(terminal, [
    ['Name', who.name],
    ['Role', who.role],
    ['Only', who.scope && formatScope(who.scope)],
    ['Token', who.tokenId],
    ['Expires', who.expiresAt],
    ['May', who.actions.join(', ')],
  ])
  return exitCodes.success
}
