import type { SecretPlace } from '@aegis/core'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseList, parseWords } from './parse-option.ts'
import type { Dispatch } from './program.ts'

const places = [
  'header',
  'bearer',
  'basic',
  'query',
  'sigv4',
] as const satisfies readonly SecretPlace[]

export function addSecretCommands(program: Command, dispatch: Dispatch): void {
  const secret = program
    .command('secret')
    .description('Keep what agents may use and never see: the value is put in on its way out')

  const set = secret
    .command('set')
    .argument('<name>', 'a-z, 0-9, ., _ and -')
    .description(
      'Keep a secret, or change one; its value is asked for, or read from standard input',
    )
    .addOption(
      new Option('--agent <name>', 'An agent that may use it, or *; repeatable').argParser(
        parseList,
      ),
    )
    .addOption(
      new Option(
        '--to <host>',
        'Where it may be sent: host, host:port, *.suffix or a range of addresses; repeatable',
      ).argParser(parseList),
    )
    .addOption(
      new Option(
        '--place <place>',
        'Where in a request it may stand; repeatable (default: all but sigv4)',
      )
        .choices(places)
        .argParser(parseWords(places)),
    )
  addSources(set)
  set.action(dispatch(async () => (await import('../secret/set-secret.ts')).setSecret))

  secret
    .command('list')
    .alias('ls')
    .description('List the secrets and what they are for, without their values')
    .action(dispatch(async () => (await import('../secret/list-secrets.ts')).listSecrets))

  secret
    .command('remove')
    .alias('rm')
    .argument('<name>')
    .description('Remove a secret')
    .action(dispatch(async () => (await import('../secret/remove-secret.ts')).removeSecret))

  const rotate = secret
    .command('rotate')
    .argument('[name]', 'The secret that gets another value; absent: the key of all of them')
    .description('Give a secret another value, or encrypt all of them anew under a new key')
    .option(
      '--key <source>',
      'Where the new key comes from: file, env:NAME or passphrase:env:NAME (default: as before)',
    )
  addSources(rotate)
  rotate.action(dispatch(async () => (await import('../secret/rotate-secrets.ts')).rotateSecrets))
}

const valueInArguments =
  'A value is no argument, where everybody on this machine can see it. Pipe it in, or be asked for it; and if this was the true one, replace it.'

/** Never the value itself: whoever lists the processes of a machine sees their arguments. */
function addSources(command: Command): void {
  command
    // Commander would repeat it in its complaint.
    .allowExcessArguments()
    .hook('preAction', (_, { args }) => {
      if (args.length > 1) throw new InvalidArgumentError(valueInArguments)
    })
    .addOption(new Option('--from-file <path>', 'Read the value from a file').conflicts('fromEnv'))
    .addOption(new Option('--from-env <variable>', 'Read the value from a variable of this shell'))
}
