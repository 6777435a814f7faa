import { type Command, Option } from 'commander'
import { collectHeader } from './parse-option.ts'
import type { Dispatch } from './program.ts'

export function addPolicyCommands(program: Command, dispatch: Dispatch): void {
  const policy = program
    .command('policy')
    .description('See what agents and users may do, and check policies before they are in force')

  policy
    .command('list')
    .alias('ls')
    .description('List the policies in force, with the file or the field that each comes from')
    .option('--agent <agent>', 'Only what concerns this agent (name or id)')
    .option('--text', 'Print each as Cedar')
    .action(dispatch(async () => (await import('../policy/list-policies.ts')).listPolicies))

  policy
    .command('check')
    .argument('[path...]', 'Files, or folders of *.cedar (default: the folder of this node)')
    .description("Check the operator's policies and name every mistake with its line")
    .option('--against-agents', 'Also tell which of the deployed agents they would refuse')
    .action(dispatch(async () => (await import('../policy/check-policies.ts')).checkPolicies))

  policy
    .command('explain')
    .argument('<agent>', 'Name or id')
    .argument('<action>', 'For example network.connect, fs.read or llm.generate')
    .argument('<resource>', 'For example db.example.com:5432, /data/in or gpt-4')
    .description('Say whether an agent could do something, and which policies decide')
    .option('--method <method>', 'Of a request inside the connection, for example POST')
    .option('--path <path>', 'Of a request inside the connection')
    .addOption(
      new Option(
        '--header <name:value>',
        'Of a request inside the connection; may be repeated',
      ).argParser(collectHeader),
    )
    .action(dispatch(async () => (await import('../policy/explain-policy.ts')).explainPolicy))

  policy
    .command('test')
    .argument('<file>', 'YAML file of cases; - reads standard input')
    .description('Compare what the policies decide with what a file of cases expects')
    .action(dispatch(async () => (await import('../policy/test-policies.ts')).testPolicies))
}
