import type { ExecutionDetail } from '@aegis/core'
import { executionDetailToWire } from '@aegis/http-contract'
import { describeFailure } from '../log/describe-event.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatCost, formatMs } from '../terminal/format.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitise } from '../terminal/sanitise.ts'

export const taskStatus: CommandHandler<object> = async (context, [id = '']) => {
  const { terminal } = context
  await using connection = await context.connect()
  const execution = await connection.controlPlane.executions.find(id)
  if (terminal.json) {
    terminal.document(executionDetailToWire(execution))
    return exitCodes.success
  }
  printFacts(terminal, factsOf(execution))
  if (execution.output !== undefined) {
    terminal.line(terminal.style.dim('Output'))
    const text = sanitise(execution.output).replace(/\n$/, '')
    terminal.line(text.replace(/^/gm, '  '))
  }
  return exitCodes.success
}

function factsOf(execution: ExecutionDetail): readonly (readonly [string, string | undefined])[] {
  const { startedAt, endedAt, failure } = execution
  const isOver = startedAt !== undefined && endedAt !== undefined
  return [
    ['Execution', execution.id],
    ['Agent', `${execution.agentName} revision ${execution.agentRevision} (${execution.agentId})`],
    ['Status', execution.status],
    ['Failure', failure === undefined ? undefined : describeFailure(failure)],
    ['Isolation', execution.isolation],
    ['Priority', execution.priority === 0 ? undefined : String(execution.priority)],
    ['Queued', execution.queuedAt],
    ['Started', startedAt],
    ['Ended', endedAt],
    ['Took', isOver ? formatMs(Date.parse(endedAt) - Date.parse(startedAt)) : undefined],
    ['Iterations', String(execution.iterations)],
    ['Interrupted', execution.interruptions === 0 ? undefined : `${execution.interruptions} times`],
    ['Tokens', `${execution.promptTokens} in, ${execution.completionTokens} out`],
    ['Cost', execution.cost === 0 ? undefined : formatCost(execution.cost)],
    ['Input', JSON.stringify(execution.input)],
  ]
}
