import { type Command, Option } from 'commander'
import { parseLifetime, parseList } from './parse-option.ts'
import type { Dispatch } from './program.ts'

/** As `roles` of the core, which `--help` does not load. */
export const roleChoices = ['viewer', 'developer', 'operator', 'admin'] as const

export function addTokenCommands(program: Command, dispatch: Dispatch): void {
  const token = program.command('token').description('Give others access to this node')

  token
    .command('create')
    .argument('<name>', 'For logs and the audit, for example ci')
    .description('Make a token and print it, this once')
    .addOption(
      new Option('-r, --role <role>', 'What it permits: each role includes those before it')
        .choices(roleChoices)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '-s, --scope <action>',
        'Only this of what the role permits, for example api.task.*; may be repeated',
      ).argParser(parseList),
    )
    .addOption(
      new Option('-a, --agent <name>', 'Only for this agent; may be repeated').argParser(parseList),
    )
    .addOption(
      new Option('-e, --expires <time>', 'When it ends: 12h, 30d or never')
        .argParser(parseLifetime)
        .default(parseLifetime('90d'), '90d'),
    )
    .action(dispatch(async () => (await import('../access/create-token.ts')).createToken))

  token
    .command('list')
    .alias('ls')
    .description('List who has a token, and when it was last used')
    .option('-a, --all', 'Also those that are expired or were revoked')
    .action(dispatch(async () => (await import('../access/list-tokens.ts')).listTokens))

  token
    .command('revoke')
    .argument('<token>', 'Name or id')
    .description('End a token at once')
    .action(dispatch(async () => (await import('../access/revoke-token.ts')).revokeToken))

  program
    .command('whoami')
    .description('Say who you are to the node, and what that permits')
    .action(dispatch(async () => (await import('../access/whoami.ts')).whoami))
}
