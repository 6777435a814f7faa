import { type Command, Option } from 'commander'
import { parseIndex, parseLimit } from './parse-option.ts'
import type { Dispatch } from './program.ts'

export function addAuditCommands(program: Command, dispatch: Dispatch): void {
  const audit = program
    .command('audit')
    .description('Read and check the log of everything that happened on the node')

  withFilters(
    audit.command('list').alias('ls').description('List entries of the log, newest first'),
  )
    .option('--until <time>', 'Only entries before this time')
    .addOption(new Option('--before <index>', 'Only entries before this one').argParser(parseIndex))
    .addOption(
      new Option('-l, --limit <number>', 'How many at most').argParser(parseLimit).default(20),
    )
    .action(dispatch(async () => (await import('../audit/list-entries.ts')).listEntries))

  withFilters(
    audit.command('tail').description('Show the latest entries, and those to come until Ctrl-C'),
  )
    .addOption(
      new Option('-n, --lines <number>', 'How many of those that are there')
        .argParser(parseLimit)
        .default(10),
    )
    .action(dispatch(async () => (await import('../audit/tail-entries.ts')).tailEntries))

  audit
    .command('show')
    .argument('<index>', 'Which entry: the first has 0')
    .description('Show one entry whole')
    .action(dispatch(async () => (await import('../audit/show-entry.ts')).showEntry))

  audit
    .command('verify')
    .argument('[path]', 'An export, or a proof; without one, the log of this home')
    .description('Check that nothing was changed, lost or put in; exit code 1 when something was')
    .option('--key <key>', 'For an export or a proof: the public key, or a file with it')
    .option('--witness <file>', 'A checkpoint that was kept elsewhere: the log must begin with it')
    .addOption(
      new Option('--from <index>', 'For an export that leaves out what is before this entry')
        .argParser(parseIndex)
        .default(0),
    )
    .action(dispatch(async () => (await import('../audit/verify-audit.ts')).verifyAudit))

  audit
    .command('prove')
    .argument('<index>', 'Which entry')
    .description('Print a proof that an entry is in the log, which can be checked without the node')
    .addOption(
      new Option('--size <number>', 'Prove it for the log as it was at this size').argParser(
        parseIndex,
      ),
    )
    .option('-o, --output <file>', 'Write it to a file')
    .action(dispatch(async () => (await import('../audit/prove-entry.ts')).proveEntry))

  audit
    .command('export')
    .argument('<directory>', 'Where to; an earlier export there is continued')
    .description('Write the log to a directory that any verifier of C2SP tlog-tiles can read')
    .addOption(
      new Option('--from <index>', 'Leave out the bodies before this entry').argParser(parseIndex),
    )
    .action(dispatch(async () => (await import('../audit/export-audit.ts')).exportAudit))

  audit
    .command('checkpoint')
    .description(
      'Print a signed checkpoint; kept elsewhere, it shows later whether entries are lost',
    )
    .action(dispatch(async () => (await import('../audit/print-checkpoint.ts')).printCheckpoint))

  audit
    .command('key')
    .description('Print the public key that checkpoints are verified with')
    .action(dispatch(async () => (await import('../audit/print-key.ts')).printKey))
}

const withFilters = (command: Command): Command =>
  command
    .option('--type <type>', 'Only one type, or with * those that begin so: "execution.*"')
    .option('--agent <agent>', 'Only those of one agent: name or id')
    .option('--task <execution>', 'Only those of one execution')
    .option('--actor <name>', 'Only what this caller did')
    .option('--since <time>', 'Only entries since then: 1h, or 2026-11-22T15:00:00Z')
