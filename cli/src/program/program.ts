import { Command, Option, type OutputConfiguration } from 'commander'
import { addAgentCommands } from './agent-commands.ts'
import { addAuditCommands } from './audit-commands.ts'
import type { CommandHandler } from './command-context.ts'
import { addConfigCommands } from './config-commands.ts'
import { addDaemonCommands } from './daemon-commands.ts'
import { addHostCommands } from './host-commands.ts'
import { addImageCommands } from './image-commands.ts'
import { addKernelCommands } from './kernel-commands.ts'
import { parseToken } from './parse-option.ts'
import { addPolicyCommands } from './policy-commands.ts'
import { addSecretCommands } from './secret-commands.ts'
import type { GlobalOptions } from './settings.ts'
import { logLevels, parseLogLevel, parsePort } from './settings.ts'
import { addTaskCommands } from './task-commands.ts'
import { addTokenCommands } from './token-commands.ts'

/** Makes commander's action from a command that is loaded only when it runs. */
export type Dispatch = <Options extends object>(
  load: () => Promise<CommandHandler<Options>>,
) => (...parameters: readonly unknown[]) => Promise<void>

/** What the user asked for, ready to run. */
export interface Invocation {
  readonly globals: GlobalOptions
  readonly args: readonly string[]
  readonly options: object
  readonly load: () => Promise<CommandHandler<never>>
}

/** The tree of commands. It only says what there is; `run` decides what happens. */
export function makeProgram(options: {
  readonly version: string
  readonly run: (invocation: Invocation) => Promise<void>
  readonly output?: OutputConfiguration
}): Command {
  const program = new Command('aegis')
    .description('Deploy autonomous agents and run them in isolated sandboxes.')
    .version(options.version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Show help')
    .helpCommand('help [command]', 'Show help for a command')
    .configureOutput(options.output ?? {})
    .exitOverride()
  for (const option of globalOptions()) program.addOption(option)

  const dispatch: Dispatch =
    (load) =>
    async (...parameters) => {
      const command = parameters.at(-1)
      if (!(command instanceof Command)) throw new Error('Commander passes the command last')
      await options.run({
        globals: program.opts<GlobalOptions>(),
        args: command.processedArgs.flat().filter((value) => typeof value === 'string'),
        options: command.opts(),
        load,
      })
    }
  addDaemonCommands(program, dispatch)
  addAgentCommands(program, dispatch)
  addTaskCommands(program, dispatch)
  addImageCommands(program, dispatch)
  addKernelCommands(program, dispatch)
  addSecretCommands(program, dispatch)
  addPolicyCommands(program, dispatch)
  addAuditCommands(program, dispatch)
  addConfigCommands(program, dispatch)
  addTokenCommands(program, dispatch)
  addHostCommands(program, dispatch)
  program.addHelpText('after', firstSteps)
  program.addHelpText('afterAll', ({ command }) =>
    command === program ? '' : '\nFlags of every command: aegis --help',
  )
  return program
}

const firstSteps = `
Start here:
  aegis doctor                                    what this machine can isolate agents with
  aegis daemon start                              run a node in the background
  aegis agent deploy demo-agents/echo/agent.yaml  deploy an agent
  aegis task execute echo --input "Hello" -w      give it a task and wait for the answer`

function globalOptions(): readonly Option[] {
  return [
    new Option('-c, --config <file>', 'Configuration of the node [env: AEGIS_CONFIG_PATH]'),
    new Option(
      '--home <dir>',
      'Where state lives: database, keys, logs [env: AEGIS_HOME] (default: ~/.aegis)',
    ),
    new Option(
      '--host <address>',
      'Address of the daemon, or its URL [env: AEGIS_HOST] (default: 127.0.0.1)',
    ),
    new Option('--port <number>', 'Port of the daemon [env: AEGIS_PORT] (default: 8000)').argParser(
      parsePort,
    ),
    new Option(
      '--token <token>',
      'To be somebody else than the owner of AEGIS_HOME [env: AEGIS_TOKEN, which other users cannot see]',
    ).argParser(parseToken),
    new Option(
      '--log-level <level>',
      `One of ${logLevels.join(', ')} [env: AEGIS_LOG_LEVEL] (default: info)`,
    ).argParser(parseLogLevel),
    new Option('--json', 'Print JSON: one document, or one line per item of a stream'),
    new Option('--no-color', 'Print without colours [env: NO_COLOR]'),
    new Option('--daemon', 'Run the daemon in the foreground: short for daemon start --foreground'),
  ]
}
