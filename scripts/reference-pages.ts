import { generateNodeConfig, manifestJsonSchema, nodeConfigJsonSchema } from '@aegis/core'
import { renderSchema, type Schema } from './render-schema.ts'

/** The generated pages of docs/reference, by file name. */
export const referencePages = (): ReadonlyMap<string, string> =>
  new Map([
    ['manifest.md', manifestPage()],
    ['config.md', configPage()],
  ])

const plain = (schema: object): Schema => JSON.parse(JSON.stringify(schema))

const note = '<!-- Made from the schemas in core/src by `npm run docs`. -->'

const units = `Sizes are a whole number with \`Ki\`, \`Mi\`, \`Gi\`, \`Ti\` (powers of 1024) or \`K\`, \`M\`, \`G\`, \`T\`, \`KB\`, \`MB\`, \`GB\`, \`TB\` (powers
of 1000), or plain bytes. Durations are a whole number with \`s\`, \`m\`, \`h\`, or plain seconds. Anything else is an error: what
cannot be read never means "no limit".`

function manifestPage(): string {
  return `# The agent manifest

${note}

A manifest is one YAML (1.2) or JSON document. This is a whole one:

\`\`\`yaml
apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: greeter
  version: 1.0.0
spec:
  runtime:
    language: python
    version: "3.11"
  task:
    instruction: Greet the person whose name you are given.
\`\`\`

\`aegis agent deploy agent.yaml --validate-only\` checks one. All that is wrong is told at once, each with its line and column:

\`\`\`text
agent.yaml:12:5 spec.runtime.isolation: "dokcer" is not known. Use one of inherit, process, docker, firecracker (did you mean docker?).
\`\`\`

- A key that is not listed here is an error. \`labels\`, \`annotations\` and \`env\` are free.
- Where text is wanted, an unquoted number keeps its letters: \`version: 3.10\` is \`3.10\`. JSON has to quote it.
- \`null\`, or nothing behind the colon, counts as absent.
- Without \`security\` an agent has no network, no path of the host, and the default limits.
- \`aegis agent show\` prints a manifest with every default filled in; that can be deployed again.
- A manifest has at most 2 MiB of text, 100000 values and 64 levels.

${units}

${renderSchema(plain(manifestJsonSchema()), 'spec')}

## The allowlist

| entry | permits |
|---|---|
| \`example.com\` | this name, ports 80 and 443 |
| \`example.com:8443\` | this name, this port |
| \`*.example.com\`, \`*.example.com:443\` | every name below it, not \`example.com\` itself |
| \`10.1.0.0/16\`, \`10.1.0.0/16:5432\`, \`192.0.2.7\` | these addresses |
| \`2001:db8::/32\`, \`[2001:db8::/32]:443\` | these addresses |

Models are asked through the agent API, which needs no entry.

## The flat form

The form with \`version: "1.0"\` or \`"1.1"\` at the top is accepted too, and means what stands beside it:

| flat key | means |
|---|---|
| \`agent.name\`, \`agent.version\` (default \`1.0.0\`), \`agent.description\` | \`metadata\` |
| \`agent.runtime\`: \`python:3.11\` | \`spec.runtime.language\` and \`version\`; with a \`/\`, or when it names no language: \`spec.runtime.image\` |
| \`agent.autopull\` | \`spec.runtime.autopull\` |
| \`task\`, \`context\`, \`schedule\`, \`tools\`, \`env\`, \`advanced\` | the same below \`spec\` |
| \`execution.mode\`: \`single\`, or \`loop\` and \`100monkeys\` | \`spec.execution.mode\`: \`one-shot\`, or \`iterative\` |
| \`execution.max_retries\` | \`spec.execution.max_retries\`; 0 means one iteration |
| \`execution.timeout_seconds\`, \`agent.timeout_seconds\`, \`permissions.execution_time\` | \`spec.security.resources.timeout\` |
| \`permissions.network.allow\`, \`deny\` | \`spec.security.network\`; the mode follows from which is given |
| \`permissions.fs.read\`, \`write\` | \`spec.security.filesystem\` |
| \`permissions.resources\`, or \`permissions.memory\` and \`permissions.cpu_quota\` (cores) | \`spec.security.resources\` |
| \`metadata.author\`, \`created\`, \`tags\`, \`cost_center\` | \`metadata.annotations\` |
`
}

function configPage(): string {
  return `# The node config

${note}

One YAML (1.2) or JSON document. \`aegis config generate\` writes one to start from, \`aegis config validate\` checks it,
\`aegis config show\` prints it with every default filled in and without its keys. It is looked for in this order:
\`--config\`, \`AEGIS_CONFIG_PATH\`, \`./aegis-config.yaml\`, \`AEGIS_HOME/config.yaml\`, \`AEGIS_HOME/aegis-config.yaml\`,
\`/etc/aegis/config.yaml\`, \`/etc/aegis/aegis-config.yaml\`; without any, every default holds and the offline scripted provider
answers.

- A key that is not listed here is an error, with its line and the nearest key there is.
- \`api_key: env:NAME\` takes the key from the environment of the daemon.
- The flat form, with \`node\` (and in it \`name\`), \`llm_providers\`, \`llm_selection\`, \`runtime\`, \`network\` and \`observability\` at the
  top and neither \`apiVersion\` nor \`kind\`, is accepted too.

${units}

${renderSchema(plain(nodeConfigJsonSchema()), 'spec')}

## An example

\`\`\`yaml
${generateNodeConfig({ examples: true })}\`\`\`
`
}
