import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'

export const cancelTask: CommandHandler<{ readonly reason?: string }> = async (
  context,
  [id = ''],
  { reason },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const status = await connection.controlPlane.executions.cancel(id, reason)
  if (terminal.json) terminal.document({ execution_id: id, status })
  else if (status === 'cancelled') terminal.line(`Cancelled execution ${id}`)
  else terminal.line(`Execution ${id} was over already: ${status.replace('_', ' ')}`)
  return exitCodes.success
}

export const removeTask: CommandHandler<object> = async (context, [id = '']) => {
  const { terminal } = context
  await using connection = await context.connect()
  await connection.controlPlane.executions.remove(id)
  if (terminal.json) terminal.document({ execution_id: id, removed: true })
  else terminal.line(`Removed execution ${id}`)
  return exitCodes.success
}
