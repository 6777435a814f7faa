import { makeExecutionLog } from '../log/execution-log.ts'
import { streamUntilInterrupted } from '../log/stream-until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { isDebugging } from '../program/settings.ts'
import { eventJson } from '../terminal/event-json.ts'

export const taskLogs: CommandHandler<{
  readonly follow?: boolean
  readonly errorsOnly?: boolean
  readonly verbose?: boolean
}> = async (context, [id = ''], options) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { executions } = connection.controlPlane
  const log = makeExecutionLog({
    style: terminal.style,
    verbose: options.verbose === true || isDebugging(context.settings),
    errorsOnly: options.errorsOnly === true,
  })
  const end = await streamUntilInterrupted(
    context,
    (signal) => executions.events(id, { follow: options.follow === true }, signal),
    (item) => {
      if (terminal.json) terminal.item(eventJson(id, item))
      else for (const line of log.add(item.event)) terminal.line(line)
    },
  )
  if (!terminal.json) for (const line of log.end()) terminal.line(line)
  return end === 'ended' ? exitCodes.success : exitCodes.interrupted
}
