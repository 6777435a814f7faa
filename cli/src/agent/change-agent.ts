import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'

export const pauseAgent: CommandHandler<{ readonly reason?: string }> = async (
  context,
  [agent = ''],
  { reason },
) => {
  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const { id, name } = await agents.find(agent)
  await agents.pause(id, reason)
  return done(context, { id, name, status: 'paused' }, `Paused agent ${name}`)
}

export const resumeAgent: CommandHandler<object> = async (context, [agent = '']) => {
  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const { id, name } = await agents.find(agent)
  await agents.resume(id)
  return done(context, { id, name, status: 'active' }, `Resumed agent ${name}`)
}

export const removeAgent: CommandHandler<object> = async (context, [agent = '']) => {
  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const { id, name } = await agents.find(agent)
  await agents.remove(id)
  return done(context, { id, name, removed: true }, `Removed agent ${name}`)
}

function done({ terminal }: CommandContext, result: object, sentence: string): ExitCode {
  if (terminal.json) terminal.document(result)
  else terminal.line(sentence)
  return exitCodes.success
}
