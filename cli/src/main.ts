import { CommanderError, InvalidArgumentError } from 'commander'
import type { CommandContext } from './program/command-context.ts'
import { exitCodes } from './program/exit-code.ts'
import { type Invocation, makeProgram } from './program/program.ts'
import { resolveSettings } from './program/settings.ts'
import { makeInterrupts } from './terminal/interrupts.ts'
import { describeError, type FailureReport, reportFailure } from './terminal/report-error.ts'
import { makeTerminal, type Terminal } from './terminal/terminal.ts'

/** The `aegis` command: reads this process's arguments, runs one command, exits with its code. */
export async function main(options: {
  readonly version: string
  /** The file that started this process, so that `daemon start` can start it again. */
  readonly entryPath: string
}): Promise<never> {
  leaveWhenNothingCanBeWritten()
  const exitCode = await runCommandLine(process.argv.slice(2), options)
  await flushed(process.stdout)
  await flushed(process.stderr)
  process.exit(exitCode)
}

async function runCommandLine(
  argv: readonly string[],
  { version, entryPath }: { readonly version: string; readonly entryPath: string },
): Promise<number> {
  // Known before commander has read the flags, since a wrong flag must be reported in JSON too.
  const json = argv.includes('--json')
  const colour = !argv.includes('--no-color')
  const terminal = makeTerminal({ ...process, json, colour, env: process.env })
  let exitCode: number = exitCodes.success
  const usage: string[] = []
  const program = makeProgram({
    version,
    output: { writeErr: (text) => void usage.push(text) },
    run: async (invocation) => {
      exitCode = await runInvocation(invocation, terminal, { version, entryPath })
    },
  })
  try {
    await program.parseAsync(daemonArgv(argv), { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.success
    const report = describeFailure(error, usage.join(''))
    if (report === undefined) {
      terminal.writeNote(usage.join(''))
      return exitCodes.usage
    }
    reportFailure(terminal, report)
    if (report.code === 'internal' && verbose(argv)) terminal.note(String(stackOf(error)))
    return report.exitCode
  }
}

async function runInvocation(
  invocation: Invocation,
  terminal: Terminal,
  { version, entryPath }: { readonly version: string; readonly entryPath: string },
): Promise<number> {
  const cwd = process.cwd()
  const settings = resolveSettings(invocation.globals, process.env, cwd)
  const connectOptions = { settings, env: process.env, cwd, terminal }
  const context: CommandContext = {
    terminal,
    settings,
    interrupts: makeInterrupts(process),
    env: process.env,
    cwd,
    version,
    readStdin: async () => (await import('./input/read-stdin.ts')).readStdin(process.stdin),
    confirm: async (question) =>
      (await import('./input/confirm.ts')).confirm(question, { terminal, stdin: process.stdin }),
    askHidden: async (question) =>
      (await import('./input/ask-hidden.ts')).askHidden(question, {
        terminal,
        stdin: process.stdin,
      }),
    self: [process.execPath, entryPath],
    connect: async () => (await import('./node/connect.ts')).connect(connectOptions),
    connectRunning: async () => (await import('./node/connect.ts')).connectRunning(connectOptions),
  }
  const handler = await invocation.load()
  return handler(context, invocation.args, invocation.options as never)
}

/** `aegis --daemon` stands for a command of its own. */
function daemonArgv(argv: readonly string[]): readonly string[] {
  if (!argv.includes('--daemon')) return argv
  const others = argv.filter((word) => word !== '--daemon')
  const { operands } = makeProgram({ version: '', run: async () => {} }).parseOptions([...others])
  if (operands.length > 0) throw new CommanderError(2, 'aegis.daemonAlone', '--daemon stands alone')
  return ['daemon', 'start', '--foreground', ...others]
}

/** Undefined where the usage text says it all: no command was given. */
function describeFailure(error: unknown, usage: string): FailureReport | undefined {
  if (error instanceof InvalidArgumentError || error instanceof CommanderError) {
    if (error.code === 'commander.help') return undefined
    const text = (usage || error.message).replace(/^error: /, '').trim()
    const [message = '', ...hints] = text.split('\n')
    return {
      exitCode: exitCodes.usage,
      code: 'usage',
      message,
      help: hints.join(' ').replace(/^\(|\)$/g, '') || 'see aegis --help',
    }
  }
  return describeError(error)
}

function verbose(argv: readonly string[]): boolean {
  return argv.some((word) => /^(--log-level=)?(debug|trace)$/.test(word))
}

function stackOf(error: unknown): unknown {
  return error instanceof Error ? error.stack : error
}

/** `aegis task list | head` ends the pipe early, and that is fine; a full disk is not. */
function leaveWhenNothingCanBeWritten(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(exitCodes.success)
      if (stream === process.stdout) {
        process.stderr.write(`error: the output cannot be written: ${error.message}\n`)
      }
      process.exit(exitCodes.general)
    })
  }
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => void stream.write('', () => resolve()))
}
