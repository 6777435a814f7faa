import { makeExecutionLog } from '../log/execution-log.ts'
import { openLogView } from '../log/log-view.ts'
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
  using view = openLogView({
    terminal,
    print: terminal.line,
    isLive: options.follow === true && options.errorsOnly !== true && terminal.canRedraw,
  })
  const end = await streamUntilInterrupted(
    context,
    (signal) => executions.events(id, { follow: options.follow === true }, signal),
    (item) => {
      if (terminal.json) terminal.item(eventJson(id, item))
      else view.add(log, item.event)
    },
  )
  if (!terminal.json) view.end(log)
  return end === 'ended' ? exitCodes.success : exitCodes.interrupted
}
