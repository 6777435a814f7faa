import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import { type DaemonState, discoverConfig, findDaemon, prepareHome, runDaemon } from '@aegis/daemon'
import { connectDaemon } from '../node/connect.ts'
import { noteScriptedModel } from '../node/note-scripted-model.ts'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { type ExitCode, exitCodes } from '../program/exit-code.ts'
import { isUrl, type Settings } from '../program/settings.ts'
import { showProgress } from '../terminal/progress.ts'
import { rotateLog, tailLog } from './daemon-log.ts'

type RunningDaemon = Extract<DaemonState, { state: 'running' }>

const readyWithinMs = 20_000
const pollMs = 50
const shownLogLines = 15

export const startDaemon: CommandHandler<{ readonly foreground?: boolean }> = async (
  context,
  _,
  { foreground },
) => {
  const { settings, env, cwd } = context
  const { home, configPath: explicit, host, port, logLevel } = settings
  refuseUrl(host)
  // Also before a start in the background: its mistakes are shown here rather than in a log.
  const { config, source } = await discoverConfig({ explicit, env, cwd, home })
  if (foreground) {
    await runDaemon({ home, config, env, host, port, logLevel })
    return exitCodes.success
  }
  const found = await findDaemon(home)
  if (found.state === 'running') return report(context, found, 'already running')
  if (found.state === 'unhealthy') {
    throw new AegisError(
      'conflict',
      'daemon.unhealthy',
      `A daemon (pid ${found.pid}) is there already, but does not answer at ${found.url}`,
      { details: { help: 'aegis daemon stop --force, then aegis daemon start' } },
    )
  }
  const started = await startInBackground(context, source)
  const exitCode = report(context, started, 'started')
  // That one and no other: with --port 0 its port is known only now.
  await using connection = await connectDaemon(started, { home: settings.home, token: undefined })
  await noteScriptedModel(context, connection)
  return exitCode
}

/** @throws AegisError `invalid` / `daemon.address` */
function refuseUrl(host: string | undefined): void {
  if (host === undefined || !isUrl(host)) return
  throw new AegisError(
    'invalid',
    'daemon.address',
    `A daemon listens at an address, and ${host} is a URL. Give --host 127.0.0.1, for example, and certificates with network.tls.`,
  )
}

function report(
  { terminal, settings }: CommandContext,
  { pid, url }: RunningDaemon,
  what: 'started' | 'already running',
): ExitCode {
  if (terminal.json) {
    terminal.document({ state: 'running', started: what === 'started', pid, url })
    return exitCodes.success
  }
  const verb = what === 'started' ? 'Daemon started' : 'Daemon is already running'
  terminal.line(`${verb} (pid ${pid}) at ${terminal.style.bold(url)}`)
  if (what === 'started') terminal.line(terminal.style.dim(`State and log: ${settings.home}`))
  return exitCodes.success
}

async function startInBackground(
  context: CommandContext,
  configSource: string,
): Promise<RunningDaemon> {
  const { settings, terminal } = context
  const { daemonLog, directory } = await prepareHome(settings.home)
  await rotateLog(daemonLog)
  await using log = await open(daemonLog, 'a', 0o600)
  const [program, ...args] = [...context.self, ...daemonArgs(context.settings, configSource)]
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    // Not the user's folder, which could then not be unmounted.
    cwd: directory,
  })
  await once(child, 'spawn')
  child.unref()
  using progress = showProgress(terminal, 'starting the daemon')
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  const deadline = performance.now() + readyWithinMs
  while (performance.now() < deadline && !ended.signal.aborted) {
    const found = await findDaemon(directory)
    if (found.state === 'running' && found.pid === child.pid) return found
    await sleep(pollMs, undefined, { signal: ended.signal }).catch(() => {})
  }
  progress[Symbol.dispose]()
  if (!ended.signal.aborted) child.kill('SIGTERM')
  throw startFailed(ended.signal.aborted, daemonLog, await tailLog(daemonLog, shownLogLines))
}

/** The configuration that was found here is named, since the daemon's folder is another. */
function daemonArgs(settings: Settings, configSource: string): readonly string[] {
  const { home, host, port, logLevel } = settings
  return [
    '--daemon',
    ...['--home', home],
    ...(configSource === 'built-in' ? [] : ['--config', configSource]),
    ...(host === undefined ? [] : ['--host', host]),
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ]
}

function startFailed(hasEnded: boolean, logPath: string, lines: readonly string[]): AegisError {
  const what = hasEnded
    ? 'The daemon ended before it was ready'
    : `The daemon was not ready within ${readyWithinMs / 1000} s and was stopped`
  const shown =
    lines.length === 0 ? '' : `. Its log ends with:\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new AegisError('conflict', 'daemon.start-failed', `${what}${shown}`, {
    details: { help: `read ${logPath}, or start it with --foreground` },
  })
}
