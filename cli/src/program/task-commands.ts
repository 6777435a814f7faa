import { type Command, Option } from 'commander'
import { parseInterval, parseLimit, parsePriority } from './parse-option.ts'
import type { Dispatch } from './program.ts'

const statuses = ['pending', 'queued', 'running', 'completed', 'failed', 'cancelled', 'timed_out']

export function addTaskCommands(program: Command, dispatch: Dispatch): void {
  const task = program
    .command('task')
    .description('Give tasks to agents and see what becomes of them')

  task
    .command('execute')
    .argument('<agent>', 'Name, id, or path of a manifest, which is then deployed')
    .description('Run a task: without --wait or --follow, print its id and return')
    .option(
      '-i, --input <input>',
      'Text, JSON, @file with JSON, or @- for JSON from standard input',
    )
    .option('-w, --wait', 'Wait for the end; print the output, and nothing else, on stdout')
    .option('-f, --follow', 'Show the log as it happens, until the end')
    .option('-v, --verbose', 'With --follow: also prompts, answers and sandboxes')
    .addOption(
      new Option('--priority <number>', 'From -100 to 100; higher runs first')
        .argParser(parsePriority)
        .default(0),
    )
    .addOption(
      new Option(
        '--isolation <runtime>',
        "Instead of the manifest's choice, where the operator permits it",
      ).choices(['process', 'docker', 'firecracker']),
    )
    .addOption(
      new Option(
        '--on-interrupt <what>',
        'What Ctrl-C does while waiting (default: detach; cancel without a daemon)',
      ).choices(['detach', 'cancel']),
    )
    .action(dispatch(async () => (await import('../task/execute-task.ts')).executeTask))

  task
    .command('list')
    .alias('ls')
    .description('List executions, newest first')
    .option('--agent-id <agent>', 'Only those of one agent: name or id')
    .option('--agent <agent>', 'The same')
    .addOption(new Option('--status <status>', 'Only those in one state').choices(statuses))
    .addOption(
      new Option('-l, --limit <number>', 'How many at most').argParser(parseLimit).default(20),
    )
    .action(dispatch(async () => (await import('../task/list-tasks.ts')).listTasks))

  task
    .command('status')
    .argument('<execution>', 'Id')
    .description('Show one execution: state, times, tokens, output or failure')
    .option('-v, --verbose', 'Also its sandboxes: isolation, image, warm or not, time to boot')
    .action(dispatch(async () => (await import('../task/task-status.ts')).taskStatus))

  task
    .command('logs')
    .argument('<execution>', 'Id')
    .description('Show what happened in one execution')
    .option('-f, --follow', 'Go on until the execution ends')
    .option('-e, --errors-only', 'Only failures, denials and what was written to stderr')
    .option('-v, --verbose', 'Also prompts, answers and sandboxes')
    .action(dispatch(async () => (await import('../task/task-logs.ts')).taskLogs))

  task
    .command('top')
    .description('Show what runs now and what it uses, until Ctrl-C')
    .addOption(
      new Option('-i, --interval <seconds>', 'Time between two looks')
        .argParser(parseInterval)
        .default(2),
    )
    .option('--once', 'Look once, and end')
    .option('-a, --all', 'Also sandboxes that boot, or wait for a task')
    .action(dispatch(async () => (await import('../task/top-tasks.ts')).topTasks))

  task
    .command('cancel')
    .argument('<execution>', 'Id')
    .description('Stop an execution and destroy its sandbox')
    .option('--reason <text>', 'Kept in the log of the execution')
    .addOption(
      new Option(
        '-f, --force',
        'Accepted for habit: cancelling always destroys the sandbox',
      ).hideHelp(),
    )
    .action(dispatch(async () => (await import('../task/change-task.ts')).cancelTask))

  task
    .command('remove')
    .alias('rm')
    .argument('<execution>', 'Id')
    .description('Delete a finished execution with its log')
    .action(dispatch(async () => (await import('../task/change-task.ts')).removeTask))
}
