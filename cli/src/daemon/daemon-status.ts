import type { NodeStatus, SandboxCounts } from '@aegis/core'
import { findDaemon } from '@aegis/daemon'
import { nodeStatusToWire } from '@aegis/http-contract'
import { connectDaemon } from '../node/connect.ts'
import { exposedNotice } from '../node/exposed-notice.ts'
import { scriptedModelNotice } from '../node/note-scripted-model.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatBytes, formatUptime } from '../terminal/format.ts'
import { printFacts } from '../terminal/print-facts.ts'

/** Succeeds whatever the state is: that is the answer. */
export const daemonStatus: CommandHandler<object> = async (context) => {
  const { terminal, settings } = context
  const { home } = settings
  const found = await findDaemon(home)
  if (found.state === 'running') {
    await using connection = await connectDaemon(found, settings)
    const status = await connection.controlPlane.node.status()
    if (terminal.json) {
      terminal.document({ state: 'running', url: found.url, home, ...nodeStatusToWire(status) })
      return exitCodes.success
    }
    const uptime = formatUptime(status.uptimeSeconds)
    terminal.line(`Daemon is ${terminal.style.good('running')} (pid ${status.pid}, up ${uptime})`)
    printFacts(terminal, [['URL', found.url], ['Home', home], ...factsOf(status)])
    if (status.exposed) terminal.line(`${terminal.style.warning('warning:')} ${exposedNotice}`)
    if (status.scriptedModel) {
      terminal.line(`${terminal.style.warning('note:')} ${scriptedModelNotice}`)
    }
  } else if (terminal.json) {
    terminal.document({ ...found, home })
  } else if (found.state === 'unhealthy') {
    const { pid, url } = found
    terminal.line(
      `Daemon is ${terminal.style.bad('unhealthy')}: pid ${pid} does not answer at ${url}`,
    )
    terminal.line(terminal.style.dim('Stop it: aegis daemon stop --force'))
  } else {
    terminal.line(`Daemon is ${terminal.style.warning('not running')}`)
    terminal.line(terminal.style.dim('Start it: aegis daemon start'))
  }
  return exitCodes.success
}

function factsOf(status: NodeStatus): readonly (readonly [string, string])[] {
  const { capacity, sandboxes } = status
  const { hot, warm, cold, failed } = sandboxes
  const executions = Object.entries(status.executions)
    .filter(([, number]) => number > 0)
    .map(([name, number]) => `${number} ${name.replace('_', ' ')}`)
  const free = `${capacity.freeCpuMillicores} of ${capacity.cpuMillicores} millicores`
  const memory = `${formatBytes(capacity.freeMemoryBytes)} of ${formatBytes(capacity.memoryBytes)}`
  return [
    ['Node', `${status.name}, version ${status.version}`],
    ['Executions', executions.length === 0 ? 'none yet' : executions.join(', ')],
    [
      'Sandboxes',
      `${hot} running, ${warm} warm, ${cold} booting${failed === 0 ? '' : `; ${failed} failed so far`}`,
    ],
    ['Starts', startsOf(sandboxes)],
    ['Free', `${free}, ${memory} memory`],
  ]
}

/** How often a task found a sandbox that was waiting for it, or a snapshot. */
function startsOf({ warmStarts, restoredStarts, coldStarts }: SandboxCounts): string {
  const starts = warmStarts + restoredStarts + coldStarts
  if (starts === 0) return 'none yet'
  const warm = `${warmStarts} of ${starts} warm (${Math.round((warmStarts / starts) * 100)} %)`
  return restoredStarts === 0 ? warm : `${warm}, ${restoredStarts} out of a snapshot`
}
