import { type ExecutionLog, makeExecutionLog } from '../log/execution-log.ts'
import { openLogView } from '../log/log-view.ts'
import { streamUntilInterrupted } from '../log/stream-until-interrupted.ts'
import { isTerminalEvent } from '../log/terminal-event.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { isDebugging } from '../program/settings.ts'
import { eventJson } from '../terminal/event-json.ts'

/** Enough of an execution's id to tell the lines of several apart. */
const shortIdLength = 8

export const agentLogs: CommandHandler<{
  readonly follow?: boolean
  readonly errors?: boolean
  readonly verbose?: boolean
}> = async (context, [agent = ''], options) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const logs = new Map<string, ExecutionLog>()
  const logOf = (executionId: string): ExecutionLog => {
    const known = logs.get(executionId)
    if (known !== undefined) return known
    const made = makeExecutionLog({
      style: terminal.style,
      verbose: options.verbose === true || isDebugging(context.settings),
      errorsOnly: options.errors === true,
      prefix: executionId.slice(0, shortIdLength),
    })
    logs.set(executionId, made)
    return made
  }

  using view = openLogView({
    terminal,
    print: terminal.line,
    isLive: options.follow === true && options.errors !== true && terminal.canRedraw,
  })
  let isEmpty = true
  const end = await streamUntilInterrupted(
    context,
    (signal) => agents.events(agent, { follow: options.follow === true }, signal),
    (item) => {
      isEmpty = false
      if (terminal.json) terminal.item(eventJson(item.executionId, item))
      else view.add(logOf(item.executionId), item.event)
      if (isTerminalEvent(item.event)) logs.delete(item.executionId)
    },
  )
  for (const log of logs.values()) view.end(log)
  if (isEmpty && !terminal.json && end === 'ended') {
    terminal.note(`Agent ${agent} has not run yet. Run it: aegis task execute ${agent} --wait`)
  }
  return end === 'ended' ? exitCodes.success : exitCodes.interrupted
}
