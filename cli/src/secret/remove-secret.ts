import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'

export const removeSecret: CommandHandler<object> = async (context, [name = '']) => {
  const { terminal } = context
  await using connection = await context.connect()
  await connection.controlPlane.secrets.remove(name)
  if (terminal.json) terminal.document({ name, removed: true })
  else terminal.line(`Removed secret ${sanitiseLine(name)}`)
  return exitCodes.success
}
