import type { AgentId, Isolation } from '@aegis/core'
import { failureToWire } from '@aegis/http-contract'
import { deployUnlessSame } from '../agent/deploy-unless-same.ts'
import { makePullReport } from '../image/pull-report.ts'
import { isManifestPath } from '../input/load-manifest.ts'
import { loadSigned } from '../input/load-signed.ts'
import { parseInput } from '../input/parse-input.ts'
import { describeFailure } from '../log/describe-event.ts'
import { makeExecutionLog } from '../log/execution-log.ts'
import { openLogView } from '../log/log-view.ts'
import type { Connection } from '../node/connect.ts'
import { noteScriptedModel } from '../node/note-scripted-model.ts'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { isDebugging } from '../program/settings.ts'
import { eventJson } from '../terminal/event-json.ts'
import { noteWarnings } from '../terminal/note-warnings.ts'
import { showProgress } from '../terminal/progress.ts'
import { reportFailure } from '../terminal/report-error.ts'
import { sanitise, sanitiseLine } from '../terminal/sanitise.ts'
import { type Ended, watchExecution } from './watch-execution.ts'

interface ExecuteFlags {
  readonly input?: string
  readonly wait?: boolean
  readonly follow?: boolean
  readonly verbose?: boolean
  readonly priority: number
  readonly isolation?: Isolation
  readonly onInterrupt?: 'detach' | 'cancel'
}

export const executeTask: CommandHandler<ExecuteFlags> = async (context, [agent = ''], flags) => {
  const input = await parseInput(flags.input, context)
  const loaded = isManifestPath(agent) ? await loadSigned(agent, context) : undefined
  await using connection = await context.connect()
  const { agents, executions } = connection.controlPlane
  let ref: string | AgentId = agent
  if (loaded !== undefined) {
    const { manifest, signed } = loaded
    const deployed = await deployUnlessSame(context, agents, manifest, { signed })
    if (deployed === 'interrupted') return exitCodes.interrupted
    const { name } = manifest.metadata
    if (deployed.changed && !context.terminal.json) {
      context.terminal.note(`Deployed agent ${name} revision ${deployed.revision}`)
      noteWarnings(context.terminal, deployed.warnings)
    }
    ref = deployed.id
  }
  const { priority, isolation } = flags
  const id = await executions.execute(ref, input, { priority, isolation })
  await noteScriptedModel(context, connection)
  if (!flags.wait && !flags.follow && connection.mode === 'daemon') return printQueued(context, id)
  // Awaited here: the connection must outlive it.
  return await watch(context, connection, id, flags)
}

const waiting = 'waiting for the agent'

function printQueued({ terminal }: CommandContext, id: string): ExitCode {
  if (terminal.json) {
    terminal.document({ execution_id: id, status: 'queued' })
    return exitCodes.success
  }
  terminal.line(`Execution ${terminal.style.bold(id)} is queued`)
  terminal.line(terminal.style.dim(`Follow it: aegis task logs ${id} --follow`))
  return exitCodes.success
}

async function watch(
  context: CommandContext,
  connection: Connection,
  id: string,
  flags: ExecuteFlags,
): Promise<ExitCode> {
  const { terminal } = context
  // With --wait, stdout belongs to the output alone.
  const isOutputWanted = flags.wait === true || flags.follow !== true
  const print = isOutputWanted ? terminal.note : terminal.line
  const log = makeExecutionLog({
    style: isOutputWanted ? terminal.noteStyle : terminal.style,
    verbose: flags.verbose === true || isDebugging(context.settings),
    errorsOnly: false,
  })
  const isFollowed = flags.follow === true
  using view = openLogView({
    terminal,
    print,
    isLive: isOutputWanted ? terminal.interactive : terminal.canRedraw,
  })
  const progress = isFollowed ? undefined : showProgress(terminal, waiting)
  const pull = makePullReport()
  const outcome = await watchExecution(context, connection, id, {
    onInterrupt: flags.onInterrupt ?? (connection.mode === 'daemon' ? 'detach' : 'cancel'),
    onItem(item) {
      if (!isFollowed) {
        progress?.update(
          item.event.type === 'execution.image-pulling'
            ? sanitiseLine(pull.now(item.event.progress, Date.parse(item.event.at)))
            : waiting,
        )
      } else if (!terminal.json) view.add(log, item.event)
      else if (!isOutputWanted) terminal.item(eventJson(id, item))
    },
    beforeNote: () => (progress ?? view)[Symbol.dispose](),
  }).finally(() => (progress ?? view)[Symbol.dispose]())

  if (outcome.kind === 'detached') return exitCodes.interrupted
  if (isOutputWanted) printOutcome(context, id, outcome)
  else if (!terminal.json) reportEnd(context, id, outcome)
  return outcome.status === 'completed' ? exitCodes.success : exitCodes.executionFailed
}

/** The output on stdout, exactly as the agent gave it where a program reads it. */
function printOutcome(context: CommandContext, id: string, outcome: Ended): void {
  const { terminal } = context
  const { status, output, failure } = outcome
  if (terminal.json) {
    terminal.document({
      execution_id: id,
      status,
      output: output ?? null,
      failure: failure === undefined ? null : failureToWire(failure),
    })
    return
  }
  if (output !== undefined) {
    terminal.write(terminal.outIsTerminal ? sanitise(output) : output)
    if (!output.endsWith('\n')) terminal.line()
  }
  reportEnd(context, id, outcome)
}

function reportEnd({ terminal }: CommandContext, id: string, outcome: Ended): void {
  if (outcome.status === 'completed') return
  const { status, failure } = outcome
  const words = status.replace('_', ' ')
  reportFailure(terminal, {
    exitCode: exitCodes.executionFailed,
    code: `execution.${status}`,
    message: `execution ${id} ${words}${failure === undefined ? '' : `: ${describeFailure(failure)}`}`,
    help: `see aegis task logs ${id} --verbose`,
  })
}
