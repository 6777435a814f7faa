import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'

export const printKey: CommandHandler<object> = async (context) => {
  const { terminal } = context
  await using connection = await context.connect()
  const key = await connection.controlPlane.audit.key()
  if (terminal.json) terminal.document({ key })
  else terminal.line(sanitiseLine(key))
  return exitCodes.success
}
