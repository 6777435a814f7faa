import type { Command, Option } from 'commander'
import { type CommandNode, commandTree, leaves } from './command-tree.ts'

/** The page docs/reference/cli.md, made from the commands themselves. */
export function renderReference(program: Command): string {
  const tree = commandTree(program)
  return [
    '# The aegis command',
    '<!-- Made from cli/src/program by `npx vitest run cli/src/program/reference.test.ts --update`. -->',
    introduction,
    '## Flags of every command',
    optionTable(tree.options),
    ...tree.children.flatMap(section),
    exitCodeSection,
    inputSection,
    environmentSection,
    `${fileSection}\n`,
  ].join('\n\n')
}

function section(node: CommandNode): readonly string[] {
  const isGroup = node.children.length > 0
  return [
    `## aegis ${node.path}`,
    `${node.description}.`,
    ...(isGroup
      ? leaves(node).flatMap((leaf) => [
          `### aegis ${leaf.path}`,
          `${leaf.description}.`,
          ...body(leaf),
        ])
      : body(node)),
  ]
}

function body(node: CommandNode): readonly string[] {
  const names = node.arguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  )
  const usage = ['aegis', node.path, ...names, ...(node.options.length > 0 ? ['[flags]'] : [])]
  const argumentRows = node.arguments
    .filter(({ description }) => description !== '')
    .map((argument) => `- \`${argument.name()}\`: ${argument.description}.`)
  return [
    `\`\`\`sh\n${usage.join(' ')}\n\`\`\``,
    ...(argumentRows.length > 0 ? [argumentRows.join('\n')] : []),
    ...(node.options.length > 0 ? [optionTable(node.options)] : []),
  ]
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => `| \`${option.flags}\` | ${cell(describe(option))} |`)
  return ['| flag | meaning |', '|---|---|', ...rows].join('\n')
}

function describe({ description, argChoices, defaultValue }: Option): string {
  const choices = argChoices === undefined ? '' : ` One of: ${argChoices.join(', ')}.`
  const isPlain = typeof defaultValue === 'string' || typeof defaultValue === 'number'
  return `${description}${isPlain ? ` (default: ${defaultValue})` : ''}.${choices}`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

const introduction = `\`aegis\` talks to the daemon of its AEGIS_HOME. Where none runs, \`agent\`, \`task\`, \`image\`,
\`policy\` and \`config\` commands do their work themselves on the same home, and say so on stderr; a task is then
waited for, and Ctrl-C cancels it. Wherever an agent is named, its name and its id mean the same.

Results go to stdout; notes, progress and errors to stderr. With \`--json\`, every command prints one
JSON document (streams: one line per item) with the field names of the HTTP API, and an error is one
JSON object on stderr: \`error\`, \`code\`, \`exit_code\` and, where there is more to say, \`help\` and
\`details\`. What agents write is shown with its control characters escaped.`

const exitCodeSection = `## Exit codes

| code | meaning |
|---|---|
| 0 | success; also: the daemon was stopped already, or runs already; Ctrl-C ended \`task top\` |
| 1 | something else went wrong; \`doctor\`: no agent can be isolated here; \`policy test\`: a case was decided otherwise |
| 2 | a wrong or missing command, flag, argument, manifest, configuration or input |
| 3 | the daemon is needed (\`--host\` or \`--port\` was given) or recorded, and does not answer |
| 4 | no such agent, execution, image or token |
| 5 | the execution that was waited for failed, timed out or was cancelled |
| 6 | \`policy explain\`: it would be denied; \`policy check --against-agents\`: an agent would be refused |
| 130 | Ctrl-C ended the command; an execution that was detached from goes on |`

const inputSection = `## Input of a task

| \`--input\` | the agent gets |
|---|---|
| not given | an empty object |
| \`@task.json\`, \`@-\` | the JSON in that file, or on standard input |
| \`'{"topic": "tea"}'\`, \`42\` | that JSON value |
| \`Hello Daemon\` | that text |
| \`'"@home"'\` | the text \`@home\`: quotes make it JSON |`

const environmentSection = `## Environment

| variable | meaning |
|---|---|
| \`AEGIS_HOME\` | where state lives, as \`--home\` |
| \`AEGIS_CONFIG_PATH\` | the configuration, as \`--config\` |
| \`AEGIS_HOST\`, \`AEGIS_PORT\` | where \`daemon start\` listens, unless flags say otherwise; a URL (\`https://aegis.example\`) is the node that every command talks to |
| \`AEGIS_TOKEN\` | who you are, as \`--token\`; it needs a daemon, which knows what the token permits |
| \`AEGIS_LOG_LEVEL\`, \`RUST_LOG\` | as \`--log-level\`, which comes first; then the configuration |
| \`NO_COLOR\` | any value: no colours |`

const fileSection = `## Context files

\`spec.context\` entries of type \`file\` and \`directory\` name paths relative to the manifest. \`agent deploy\`
reads them, and sends their content with the manifest: at most 1000 files and 1 MiB together, no
symbolic links that lead out of the manifest's folder. They land in /workspace under the same paths.`
