import { type Command, Option } from 'commander'
import { parseCount } from './parse-option.ts'
import type { Dispatch } from './program.ts'

export function addAgentCommands(program: Command, dispatch: Dispatch): void {
  const agent = program.command('agent').description('Deploy agents and look after them')

  agent
    .command('deploy')
    .argument('<manifest>', 'YAML or JSON file; - reads standard input')
    .description('Deploy an agent from its manifest')
    .option('--replace', 'Where the name is taken, deploy a new revision')
    .option('--validate-only', 'Check the manifest and its context files, and change nothing')
    .action(dispatch(async () => (await import('../agent/deploy-agent.ts')).deployAgent))

  agent
    .command('sign')
    .argument('<manifest>', 'YAML or JSON file; - reads standard input')
    .description(
      'Sign a manifest with the files of its context, so that a node can tell whose it is',
    )
    .requiredOption('--key <file>', 'Key file that aegis agent keygen made')
    .option(
      '-o, --output <file>',
      'Where to write it (default: the manifest with .signed behind it)',
    )
    .action(dispatch(async () => (await import('../agent/sign-manifest.ts')).signAgentManifest))

  agent
    .command('keygen')
    .argument('<name>', 'Whose key it is, for example acme/release')
    .description('Make a key that signs manifests')
    .requiredOption('-o, --output <file>', 'Where to keep it; a file that is there stays')
    .action(dispatch(async () => (await import('../agent/sign-manifest.ts')).generateSigningKey))

  agent
    .command('list')
    .alias('ls')
    .description('List the deployed agents')
    .action(dispatch(async () => (await import('../agent/list-agents.ts')).listAgents))

  agent
    .command('show')
    .argument('<agent>', 'Name or id')
    .description('Print the manifest in its canonical form')
    .addOption(
      new Option('--revision <number>', 'An earlier revision (default: the current one)').argParser(
        parseCount,
      ),
    )
    .action(dispatch(async () => (await import('../agent/show-agent.ts')).showAgent))

  agent
    .command('pause')
    .argument('<agent>', 'Name or id')
    .description('Accept no new tasks and hold back those that wait; what runs goes on')
    .option('--reason <text>', 'Kept in the history of the agent')
    .action(dispatch(async () => (await import('../agent/change-agent.ts')).pauseAgent))

  agent
    .command('resume')
    .argument('<agent>', 'Name or id')
    .description('End a pause')
    .action(dispatch(async () => (await import('../agent/change-agent.ts')).resumeAgent))

  agent
    .command('remove')
    .alias('rm')
    .argument('<agent>', 'Name or id')
    .description('Cancel what runs or waits, then remove the agent')
    .action(dispatch(async () => (await import('../agent/change-agent.ts')).removeAgent))

  agent
    .command('logs')
    .argument('<agent>', 'Name or id')
    .description("Show what happened in the agent's latest executions")
    .option('-f, --follow', 'Go on with what happens next')
    .option('-e, --errors', 'Only failures, denials and what was written to stderr')
    .option('-v, --verbose', 'Also prompts, answers and sandboxes')
    .action(dispatch(async () => (await import('../agent/agent-logs.ts')).agentLogs))
}
