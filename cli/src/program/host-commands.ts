import { Argument, type Command } from 'commander'
import type { Dispatch } from './program.ts'

export function addHostCommands(program: Command, dispatch: Dispatch): void {
  program
    .command('doctor')
    .description('Say what this machine can isolate agents with, what it lacks, and what to do')
    .action(dispatch(async () => (await import('../daemon/doctor.ts')).doctor))

  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('Print a completion script, for example: source <(aegis completion bash)')
    .action(dispatch(async () => (await import('./print-completion.ts')).printCompletion))
}
