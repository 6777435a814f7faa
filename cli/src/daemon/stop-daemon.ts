import { setTimeout as sleep } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import { findDaemon } from '@aegis/daemon'
import { errnoOf } from '../input/read-text-file.ts'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { showProgress } from '../terminal/progress.ts'

const pollMs = 50
/** How long the system may take to end a process that was killed. */
const killedWithinMs = 5000

export const stopDaemon: CommandHandler<{
  readonly force?: boolean
  /** Seconds. */
  readonly timeout: number
}> = async (context, _, { force, timeout }) => {
  const found = await findDaemon(context.settings.home)
  if (found.state === 'stopped') return report(context, 'not running', undefined)
  const { pid } = found
  signalProcess(pid, 'SIGTERM')
  using progress = showProgress(context.terminal, `stopping the daemon (pid ${pid})`)
  const stopped = await hasEnded(pid, timeout * 1000)
  progress[Symbol.dispose]()
  if (stopped) return report(context, 'stopped', pid)
  if (!force) {
    throw new AegisError(
      'timeout',
      'daemon.still-running',
      `The daemon (pid ${pid}) has not stopped within ${timeout} s`,
      { details: { help: 'give it longer with --timeout, or kill it with --force' } },
    )
  }
  signalProcess(pid, 'SIGKILL')
  await hasEnded(pid, killedWithinMs)
  return report(context, 'killed', pid)
}

function report(
  { terminal }: CommandContext,
  what: 'not running' | 'stopped' | 'killed',
  pid: number | undefined,
): ExitCode {
  if (terminal.json)
    terminal.document({ state: 'stopped', killed: what === 'killed', pid: pid ?? null })
  else if (pid === undefined) terminal.line('Daemon is not running')
  else terminal.line(`Daemon ${what} (pid ${pid})`)
  return exitCodes.success
}

function signalProcess(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch (cause) {
    if (errnoOf(cause) === 'ESRCH') return
    throw new AegisError(
      'denied',
      'daemon.signal',
      `The daemon (pid ${pid}) is not yours to stop`,
      {
        cause,
        details: { help: 'use the account that started it' },
      },
    )
  }
}

async function hasEnded(pid: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (isAlive(pid)) {
    if (performance.now() >= deadline) return false
    await sleep(pollMs)
  }
  return true
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}
