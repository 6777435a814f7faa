import type { ExecutionControl, ExecutionDetail, ExecutionEvent } from '@aegis/core'
import { executionDetailToWire } from '@aegis/http-contract'
import { describeBoot, describeFailure } from '../log/describe-event.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatCost, formatMs } from '../terminal/format.ts'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitise } from '../terminal/sanitise.ts'

export const taskStatus: CommandHandler<{ readonly verbose?: boolean }> = async (
  context,
  [id = ''],
  { verbose = false },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { executions } = connection.controlPlane
  const execution = await executions.find(id)
  const sandboxes = verbose ? await sandboxesOf(executions, id) : []
  if (terminal.json) {
    const wire = executionDetailToWire(execution)
    terminal.document(verbose ? { ...wire, sandboxes: sandboxes.map(bootToJson) } : wire)
    return exitCodes.success
  }
  printFacts(terminal, [
    ...factsOf(execution),
    ...sandboxes.map((boot) => ['Sandbox', describeSandbox(boot)] as const),
  ])
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

type Boot = Extract<ExecutionEvent, { readonly type: 'execution.sandbox-booted' }>

/** The sandboxes that an execution has had so far, one an iteration. */
async function sandboxesOf(
  executions: Pick<ExecutionControl, 'events'>,
  id: string,
): Promise<readonly Boot[]> {
  const boots: Boot[] = []
  for await (const { event } of executions.events(id, {}, new AbortController().signal)) {
    if (event.type === 'execution.sandbox-booted') boots.push(event)
  }
  return boots
}

/** `iteration 1 (firecracker, QEMU …) up in 3.1s: prepare 26ms, monitor 154ms, kernel 2.9s`. */
function describeSandbox(boot: Boot): string {
  const phases = Object.entries(boot.bootPhases ?? {}).map(
    ([name, ms]) => `${sanitise(name)} ${formatMs(ms)}`,
  )
  const what = `iteration ${boot.iteration} ${describeBoot(boot)}`
  return phases.length === 0 ? what : `${what}: ${phases.join(', ')}`
}

const bootToJson = (boot: Boot) => ({
  iteration: boot.iteration,
  id: boot.sandboxId,
  isolation: boot.isolation,
  application_kernel: boot.applicationKernel ?? null,
  monitor: boot.monitor ?? null,
  boot_phases: boot.bootPhases ?? {},
  image: boot.image ?? null,
  warm: boot.warm ?? false,
  restored: boot.restored ?? false,
  boot_ms: boot.bootMs,
  booted_at: boot.at,
})
