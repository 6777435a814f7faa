import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'

/** As it is: a changed character would make it worthless. */
export const printCheckpoint: CommandHandler<object> = async (context) => {
  const { terminal } = context
  await using connection = await context.connect()
  const checkpoint = await connection.controlPlane.audit.checkpoint()
  if (terminal.json) terminal.document({ checkpoint })
  else terminal.write(checkpoint)
  return exitCodes.success
}
