import type { Command } from 'commander'
import type { Dispatch } from './program.ts'

export function addConfigCommands(program: Command, dispatch: Dispatch): void {
  const config = program.command('config').description("Work with the node's configuration")

  config
    .command('show')
    .description('Print the configuration in effect, in its canonical form and without keys')
    .option('--paths', 'Print where configurations are looked for, and which one is used')
    .action(dispatch(async () => (await import('../config/show-config.ts')).showConfig))

  config
    .command('validate')
    .argument('[file]', 'The file to check (default: the one in effect)')
    .description('Check a configuration and name every mistake with its line')
    .action(dispatch(async () => (await import('../config/validate-config.ts')).validateConfig))

  config
    .command('generate')
    .description('Write a configuration to start from')
    .option('-o, --output <file>', 'Where to write it; - is standard output', './aegis-config.yaml')
    .option('--examples', 'With an example of every kind of provider')
    .option('--force', 'Overwrite a file that is there')
    .action(dispatch(async () => (await import('../config/generate-config.ts')).generateConfig))
}
