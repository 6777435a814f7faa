import type { HiddenAnswer } from '../input/ask-hidden.ts'
import type { Connection } from '../node/connect.ts'
import type { Interrupts } from '../terminal/interrupts.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { ExitCode } from './exit-code.ts'
import type { Settings } from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What every command gets: where it writes, what was set for all commands, and its node. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly settings: Settings
  readonly interrupts: Interrupts
  readonly env: Environment
  readonly cwd: string
  readonly version: string
  /** Resolves with what was piped into the command. */
  readonly readStdin: () => Promise<string>
  /** Asks a person; undefined where nobody can answer. */
  readonly confirm: (question: string) => Promise<boolean | undefined>
  /** The same, for an answer that is not shown while it is typed. */
  readonly askHidden: (question: string) => Promise<HiddenAnswer | undefined>
  /** The argv that starts this very program again, as a daemon. */
  readonly self: readonly [string, ...string[]]
  /** The daemon of this AEGIS_HOME, or, where none runs, a node inside this process. */
  connect(): Promise<Connection>
  /** The same, and undefined where no daemon runs: for what only a daemon can have. */
  connectRunning(): Promise<Connection | undefined>
}

/** One command. `options` holds its own flags; those of all commands are in the settings. */
export type CommandHandler<Options> = (
  context: CommandContext,
  args: readonly string[],
  options: Options,
) => Promise<ExitCode>
