import { describe, expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import { parseManifest } from './parse-manifest.ts'

const valid = `apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: helper
  version: 1.0.0
spec:
  runtime: { language: python, version: 3.11 }
  task: { instruction: Help. }
`

/**
 * What is wrong | where it is put into a valid manifest | as what | the place that the error names
 * | what its remedy says. `⏎` stands for a line break.
 */
const malformed = String.raw`
# text
an empty file | file |  | 1:1 | Start from an example
a list | file | - a⏎ | 1:1 | Give a map
a word | file | echo⏎ | 1:1 | Give a map
another kind of document | file | name: x⏎ | 1:1 name | Known keys: apiVersion, kind
a second document | end | ---⏎apiVersion: 100monkeys.ai/v1⏎kind: AgentManifest⏎metadata:⏎  name: helper⏎  version: 1.0.0⏎spec:⏎  runtime: { language: python, version: 3.11 }⏎  task: { instruction: Help. } | 9:1 | Keep one document
a key given twice | spec | env: {}⏎  env: {} | 10:3 spec.env | Keep one
a broken line | spec | env: a: b | 9:8 | quote the text
a tab | file | metadata:⏎	name: a | 2:1 | Indent with spaces
a merge key | spec | <<: {} | 9:3 spec["<<"] | Remove it
# head
no apiVersion | without | apiVersion | 1:1 apiVersion | Add apiVersion:
another apiVersion | apiVersion | v1 | 1:1 apiVersion | Use 100monkeys.ai/v1
no kind | without | kind | 1:1 kind | Add kind:
another kind | kind | NodeConfig | 2:1 kind | Use one of AgentManifest, Agent
a kind in lower case | kind | agentmanifest | 2:1 kind | mean AgentManifest?
no metadata | without | metadata | 1:1 metadata | Add metadata:
no name | without | name | 3:1 metadata.name | Add name: (text) below metadata
an empty name | name | "" | 4:3 metadata.name | Use a-z, 0-9 and -
a name in capitals | name | My Helper | 4:3 metadata.name | For example: my-helper
a name that begins with - | name | -x | 4:3 metadata.name | not first or last
a name that ends with - | name | x- | 4:3 metadata.name | not first or last
a name with a dot | name | a.b | 4:3 metadata.name | For example: a-b
a name that is a path | name | ../../etc | 4:3 metadata.name | example: etc
a name of 81 characters | name | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | 4:3 metadata.name | at most 80
a name that is a list | name | [a] | 4:3 metadata.name | Give text
a name that is true | name | true | 4:3 metadata.name | quotes: "true"
no version | without | version | 3:1 metadata.version | Add version:
a version that is empty | version |  | 5:3 metadata.version | Add version:
a version of two lines | version | "a\nb" | 5:3 metadata.version | one line
labels that are a list | metadata | labels: [a] | 6:3 metadata.labels | Give a map
a label without text | metadata | labels: {a: } | 6:12 metadata.labels.a | Give text
a label that is true | metadata | labels: {a: true} | 6:12 metadata.labels.a | "true"
a misspelt key of metadata | metadata | labls: {} | 6:3 metadata.labls | Did you mean labels?
no spec | without | spec | 1:1 spec | Add spec:
a key besides spec | end | status: {} | 9:1 status | Known keys: apiVersion
# runtime
no runtime | without | runtime | 6:1 spec.runtime | Add runtime:
no language | runtime | {version: "3"} | 7:3 spec.runtime.language | or an image
no language version | runtime | {language: python} | 7:3 spec.runtime.version | Add version: "3.11"
an unknown isolation | runtime | {language: python, version: 3, isolation: dokcer} | 7:43 spec.runtime.isolation | mean docker?
an isolation in capitals | runtime | {language: python, version: 3, isolation: Process} | 7:43 spec.runtime.isolation | mean process?
an isolation that is a number | runtime | {language: python, version: 3, isolation: 1} | 7:43 spec.runtime.isolation | Use one of inherit, process
autopull as yes | runtime | {language: python, version: 3, autopull: yes} | 7:43 spec.runtime.autopull | true or false, without quotes
autopull in quotes | runtime | {language: python, version: 3, autopull: "true"} | 7:43 spec.runtime.autopull | without quotes
an image that is a URL | runtime | {image: "https://x y"} | 7:13 spec.runtime.image | ghcr.io/acme
an unknown pull policy | runtime | {image: a/b, image_pull_policy: always} | 7:25 spec.runtime.image_pull_policy | mean Always?
a hot temperature | runtime | {language: python, version: 3, temperature: 2.5} | 7:43 spec.runtime.temperature | Use at most 2
a temperature in words | runtime | {language: python, version: 3, temperature: warm} | 7:43 spec.runtime.temperature | a number
an empty model | runtime | {language: python, version: 3, model: ""} | 7:43 spec.runtime.model | Write something
a misspelt key of runtime | runtime | {langauge: python, version: 3} | 7:13 spec.runtime.langauge | mean language?
a runtime that is text | runtime | python | 7:3 spec.runtime | Give a map
# task
no task | without | task | 6:1 spec.task | Add instruction:
a task without anything to do | task | {input_data: 1} | 8:3 spec.task | Add instruction:
a command that is text | task | {command: "node x"} | 8:10 spec.task.command | as a list: ["node x"]
an empty command | task | {command: []} | 8:10 spec.task.command[0] | at least 1
a command without a program | task | {command: [""]} | 8:20 spec.task.command[0] | Write something
a command with an empty item | task | {command: [node, ~]} | 8:26 spec.task.command[1] | Give text
a command with a map | task | {command: [node, {a: 1}]} | 8:26 spec.task.command[1] | Give text
a command with NUL | task | {command: [node, "a\0"]} | 8:26 spec.task.command[1] | base64
an instruction that is a list | task | {instruction: [a]} | 8:10 spec.task.instruction | Give text
skills that are text | task | {instruction: a, agentskills: b} | 8:26 spec.task.agentskills | ["b"]
a misspelt template | task | {prompt_templte: a} | 8:10 spec.task.prompt_templte | mean prompt_template?
# context
a context that is a map | spec | context: {type: text} | 9:3 spec.context | Give a list
an entry without a type | spec | context: [{path: a}] | 9:13 spec.context[0].type | Add type:
an entry of an unknown type | spec | context: [{type: folder, path: a}] | 9:14 spec.context[0].type | text, file, directory, url
a text without content | spec | context: [{type: text}] | 9:13 spec.context[0].content | Add content:
a file without a path | spec | context: [{type: file}] | 9:13 spec.context[0].path | Add path:
a path that leaves the folder | spec | context: [{type: file, path: ../a}] | 9:26 spec.context[0].path | beside the manifest
a path that leaves it in the middle | spec | context: [{type: file, path: a/../../b}] | 9:26 spec.context[0].path | ".."
an absolute path | spec | context: [{type: text, content: a, path: /etc/passwd}] | 9:38 spec.context[0].path | relative to the manifest
a path of Windows | spec | context: [{type: file, path: "C:/a"}] | 9:26 spec.context[0].path | relative
a path with a backslash | spec | context: [{type: file, path: "a\\b"}] | 9:26 spec.context[0].path | Rename
an empty path | spec | context: [{type: file, path: ""}] | 9:26 spec.context[0].path | data/input.csv
a path with an empty part | spec | context: [{type: file, path: a//b}] | 9:26 spec.context[0].path | data/input.csv
two entries at one path | spec | context: [{type: file, path: a}, {type: file, path: ./a}] | 9:36 spec.context[1] | path of its own
a file below a file | spec | context: [{type: file, path: a}, {type: file, path: a/b}] | 9:36 spec.context[1] | path of its own
a file where a folder must be | spec | context: [{type: file, path: a/b}, {type: file, path: a}] | 9:38 spec.context[1] | path of its own
an unknown encoding | spec | context: [{type: text, content: a, encoding: hex}] | 9:38 spec.context[0].encoding | utf-8, base64
content that is not base64 | spec | context: [{type: text, content: "?", encoding: base64}] | 9:13 spec.context[0] | base64 -w0
a url that is none | spec | context: [{type: url, url: example}] | 9:25 spec.context[0].url | https://
a url of a file | spec | context: [{type: url, url: "file:///etc/passwd"}] | 9:25 spec.context[0].url | https://
a key of another type | spec | context: [{type: file, path: a, content: b}] | 9:35 spec.context[0].content | Known keys
# execution
an unknown mode | spec | execution: {mode: loop} | 9:15 spec.execution.mode | one-shot, iterative
no tries | spec | execution: {max_retries: 0} | 9:15 spec.execution.max_retries | at least 1
too many tries | spec | execution: {max_retries: 1001} | 9:15 spec.execution.max_retries | at most 1000
half a try | spec | execution: {max_retries: 1.5} | 9:15 spec.execution.max_retries | whole number
tries in quotes | spec | execution: {max_retries: "3"} | 9:15 spec.execution.max_retries | Write 3 without quotes
an alias besides its name | spec | execution: {max_retries: 3, max_iterations: 3} | 9:31 spec.execution.max_iterations | Keep one
two times for an iteration | spec | execution: {timeout_per_iteration: 3, iteration_timeout: 3s} | 9:41 spec.execution.iteration_timeout | Keep one
a negative time | spec | execution: {timeout_per_iteration: -1} | 9:15 spec.execution.timeout_per_iteration | at least 1
an iteration time in days | spec | execution: {iteration_timeout: 1d} | 9:15 spec.execution.iteration_timeout | s, m or h
a validation list | spec | execution: {validation: [{type: exit_code}]} | 9:15 spec.execution.validation | Give a map
an output without a format | spec | execution: {validation: {output: {}}} | 9:28 spec.execution.validation.output.format | Add format:
a judge without a model | spec | execution: {validation: {semantic: {prompt: a}}} | 9:28 spec.execution.validation.semantic.model | Add model:
a threshold above 1 | spec | execution: {validation: {semantic: {model: a, prompt: b, threshold: 2}}} | 9:60 spec.execution.validation.semantic.threshold | at most 1
a judge slower than the system | spec | execution: {validation: {system: {timeout_seconds: 10}, semantic: {model: a, prompt: b}}} | 9:59 spec.execution.validation.semantic.timeout_seconds | at most 10
validation twice | spec | execution: {validation: {}}⏎  validation: {} | 10:3 spec.validation | Keep one
a delivery without destinations | spec | execution: {delivery: {}} | 9:15 spec.execution.delivery.destinations | Add destinations:
a destination of an unknown type | spec | execution: {delivery: {destinations: [{name: a, condition: always, type: fax}]}} | 9:70 spec.execution.delivery.destinations[0].type | email, webhook, rest, sms
a rest call without a method | spec | execution: {delivery: {destinations: [{name: a, condition: always, type: rest, rest: {url: "https://a.b"}}]}} | 9:82 spec.execution.delivery.destinations[0].rest.method | Add method:
# security
an unknown network mode | spec | security: {network: {mode: open}} | 9:24 spec.security.network.mode | none, allow, deny
an allowlist that is not used | spec | security: {network: {mode: none, allowlist: [a.com]}} | 9:36 spec.security.network.allowlist | mode: allow
an allowlist that is text | spec | security: {network: {allowlist: a.com}} | 9:24 spec.security.network.allowlist | ["a.com"]
a URL for a host | spec | security: {network: {allowlist: ["https://a.com/x"]}} | 9:36 spec.security.network.allowlist[0] | host alone: a.com
a path behind a host | spec | security: {network: {allowlist: [a.com/x]}} | 9:36 spec.security.network.allowlist[0] | a path cannot be named
every host | spec | security: {network: {allowlist: ["*"]}} | 9:36 spec.security.network.allowlist[0] | *.example.com
a star in the middle | spec | security: {network: {allowlist: ["a.*.com"]}} | 9:36 spec.security.network.allowlist[0] | *.example.com
a port out of range | spec | security: {network: {allowlist: ["a.com:70000"]}} | 9:36 spec.security.network.allowlist[0] | 1 to 65535
a port in words | spec | security: {network: {allowlist: ["a.com:https"]}} | 9:36 spec.security.network.allowlist[0] | 1 to 65535
every address | spec | security: {network: {allowlist: [0.0.0.0/0]}} | 9:36 spec.security.network.allowlist[0] | Use /1 to /32
a prefix too long | spec | security: {network: {allowlist: [10.0.0.0/33]}} | 9:36 spec.security.network.allowlist[0] | Use /1 to /32
rules for HTTP that are not used | spec | security: {network: {mode: none, http: [{host: a.com}]}} | 9:36 spec.security.network.http | mode: allow
a rule for HTTP without a host | spec | security: {network: {http: [{methods: [GET]}]}} | 9:31 spec.security.network.http[0].host | Add host:
a method nobody has | spec | security: {network: {http: [{host: a.com, methods: ["G T"]}]}} | 9:55 spec.security.network.http[0].methods[0] | like GET
a path without a slash | spec | security: {network: {http: [{host: a.com, paths: [repos]}]}} | 9:53 spec.security.network.http[0].paths[0] | Begin it with /
a header that is none | spec | security: {network: {http: [{host: a.com, headers: {"a b": c}}]}} | 9:55 spec.security.network.http[0].headers["a b"] | name of a header
a budget without end | spec | security: {network: {limits: {connections: 0}}} | 9:33 spec.security.network.limits.connections | at least 1
a budget in words | spec | security: {network: {limits: {bytes_out: much}}} | 9:33 spec.security.network.limits.bytes_out | not a size
a secret with an odd name | spec | secrets: {TOKEN: "my secret"} | 9:13 spec.secrets.TOKEN | a-z, 0-9
a secret in a variable of ours | spec | secrets: {AEGIS_TOKEN: a} | 9:13 spec.secrets.AEGIS_TOKEN | reserved
a name beyond ASCII | spec | security: {network: {allowlist: [müller.de]}} | 9:36 spec.security.network.allowlist[0] | xn--
a relative host path | spec | security: {filesystem: {read: [data]}} | 9:34 spec.security.filesystem.read[0] | Begin it with /
the whole host | spec | security: {filesystem: {write: [/]}} | 9:35 spec.security.filesystem.write[0] | folders it needs
a host path with .. | spec | security: {filesystem: {read: [/srv/../etc]}} | 9:34 spec.security.filesystem.read[0] | ..
a host path with a pattern | spec | security: {filesystem: {read: ["/srv/**"]}} | 9:34 spec.security.filesystem.read[0] | Name a folder
cpu in a unit | spec | security: {resources: {cpu: 500m}} | 9:26 spec.security.resources.cpu | without a unit
cpu in cores | spec | security: {resources: {cpu: 0.5}} | 9:26 spec.security.resources.cpu | whole number
negative cpu | spec | security: {resources: {cpu: -1}} | 9:26 spec.security.resources.cpu | at least 10
memory in bytes that meant Mi | spec | security: {resources: {memory: 512}} | 9:26 spec.security.resources.memory | did you mean 512Mi?
memory in fractions | spec | security: {resources: {memory: 1.5Gi}} | 9:26 spec.security.resources.memory | 512Mi
memory in lower case | spec | security: {resources: {memory: 512mb}} | 9:26 spec.security.resources.memory | Ki, Mi, Gi
memory without limit | spec | security: {resources: {memory: unlimited}} | 9:26 spec.security.resources.memory | 512Mi
more memory than there is | spec | security: {resources: {memory: 100Ti}} | 9:26 spec.security.resources.memory | 64Ti
no disk | spec | security: {resources: {disk: 0}} | 9:26 spec.security.resources.disk | Use 1Mi
no time | spec | security: {resources: {timeout: 0s}} | 9:26 spec.security.resources.timeout | Use 1s to 168h
time without end | spec | security: {resources: {timeout: 1000h}} | 9:26 spec.security.resources.timeout | 168h
time in words | spec | security: {resources: {timeout: forever}} | 9:26 spec.security.resources.timeout | 300s
too few processes | spec | security: {resources: {pids: 1}} | 9:26 spec.security.resources.pids | at least 4
an unknown resource | spec | security: {resources: {tpu: 1}} | 9:26 spec.security.resources.tpu | cpu, memory, disk
# other section
a variable with a space | spec | env: {"a b": x} | 9:9 spec.env["a b"] | letters, digits and _
a variable that begins with a digit | spec | env: {1A: x} | 9:9 spec.env.1A | not beginning with a digit
a reserved variable | spec | env: {AEGIS_URL: x} | 9:9 spec.env.AEGIS_URL | another name
a variable without text | spec | env: {A: } | 9:9 spec.env.A | Give text
a variable that is a list | spec | env: {A: [x]} | 9:9 spec.env.A | Give text
a variable with NUL | spec | env: {A: "\0"} | 9:9 spec.env.A | base64
variables twice | spec | env: {A: x}⏎  environment: {B: y} | 10:3 spec.environment | Keep one
tools that are maps | spec | tools: [{name: a}] | 9:11 spec.tools[0] | Give text
a schedule without a type | spec | schedule: {cron: "* * * * *"} | 9:3 spec.schedule.type | Add type:
a schedule of an unknown type | spec | schedule: {type: daily} | 9:14 spec.schedule.type | cron, interval, manual
a cron of four fields | spec | schedule: {type: cron, cron: "* * * *", timezone: UTC} | 9:26 spec.schedule.cron | five fields
a cron without a time zone | spec | schedule: {type: cron, cron: "* * * * *"} | 9:3 spec.schedule.timezone | Add timezone:
an unknown time zone | spec | schedule: {type: cron, cron: "* * * * *", timezone: Mars} | 9:45 spec.schedule.timezone | Europe/Berlin
an interval of nothing | spec | schedule: {type: interval, seconds: 0} | 9:30 spec.schedule.seconds | at least 1
a negative pool | spec | advanced: {warm_pool_size: -1} | 9:14 spec.advanced.warm_pool_size | at least 0
an unknown key of spec | spec | volumes: [] | 9:3 spec.volumes | Known keys of spec
a misspelt key of spec | spec | securty: {} | 9:3 spec.securty | Did you mean security?
# flat form
no task | flat |  | 1:1 task | Add task:
another version | file | version: "2"⏎agent: {name: a, runtime: b}⏎task: {instruction: a} | 1:1 version | 1.0, 1.1
no runtime | agent | {name: a} | 2:1 agent.runtime | Add runtime:
a bad name | agent | {name: A, runtime: b} | 2:9 agent.name | For example: a
memory of the agent | agent | {name: a, runtime: b, memory: true} | 2:30 agent.memory | Use false
an unknown mode | flat | task: {instruction: a}⏎execution: {mode: forever} | 4:13 execution.mode | single, loop, 100monkeys
a task twice | agent | {name: a, runtime: b, task: {instruction: b}} | 2:30 agent.task | Keep one
a URL in permissions | flat | task: {instruction: a}⏎permissions: {network: {allow: ["http://a.b"]}} | 4:33 permissions.network.allow[0] | host alone
memory twice | flat | task: {instruction: a}⏎permissions: {memory: 1Gi, resources: {memory: 1Gi}} | 4:15 permissions.memory | Keep one
targets | flat | task: {instruction: a}⏎execution_targets: [] | 4:1 execution_targets | Known keys
`

/** The valid manifest with something else at the place that a row of the table names. */
function manifestWith(where: string, what: string): string {
  switch (where) {
    case 'file':
      return what
    case 'end':
      return `${valid}${what}\n`
    case 'spec':
      return `${valid}  ${what}\n`
    case 'metadata':
      return valid.replace('spec:', `  ${what}\nspec:`)
    case 'without': // With all that stands below it.
      return valid.replace(new RegExp(`^( *)${what}:.*\\n(\\1 +.*\\n)*`, 'm'), '')
    case 'flat':
      return `version: "1.1"\nagent: { name: helper, runtime: "python:3.11" }\n${what}\n`
    case 'agent':
      return `version: "1.1"\nagent: ${what}\ntask: {instruction: Help.}\n`
    default:
      return valid.replace(new RegExp(`^( *${where}:).*$`, 'm'), (_, key) => `${key} ${what}`)
  }
}

const sections = malformed.trim().split(/^# /m).slice(1)

describe.each(
  sections.map((section) => section.trim().split('\n')),
)('a malformed %s', (...section) => {
  it.each(
    section.slice(1).map((row) => row.split(' | ')),
  )('is refused for %s, with place and remedy', (_, where = '', what = '', place = '', remedy = '') => {
    const error = refusal(manifestWith(where, what.replaceAll('⏎', '\n')))
    expect(error).toMatchObject({ kind: 'invalid', code: 'manifest.invalid' })
    const named = error.message.split('\n').find((line) => line.startsWith(`agent.yaml:${place}:`))
    expect(named ?? error.message).toContain(`agent.yaml:${place}:`)
    expect(named).toContain(remedy)
    expect(error.message).not.toMatch(/Invalid input|expected|undefined|NaN|zod/)
  })
})

it('accepts the manifest that the others are made from', () => {
  expect(parseManifest(valid).metadata.name).toBe('helper')
})

it('names all problems at once, in the order of the text', () => {
  const error = refusal(`${manifestWith('name', 'A').replace('python', '[]')}  tols: []\n`)
  expect(error.message.split('\n')).toEqual([
    'agent.yaml:4:3 metadata.name: "A" is not a name. Use a-z, 0-9 and - (not first or last), at most 80 characters. For example: a.',
    'agent.yaml:7:14 spec.runtime.language: It must be text, not a list. Give text.',
    expect.stringMatching(/^agent.yaml:9:3 spec.tols: This key is not known. Did you mean tools\?/),
  ])
  expect(error.details.problems).toMatchObject([
    { path: 'metadata.name', line: 4, column: 3 },
    { path: 'spec.runtime.language', line: 7, column: 14 },
    { path: 'spec.tols', line: 9, column: 3 },
  ])
})

it('bounds the message when everything is wrong', () => {
  const keys = Array.from({ length: 500 }, (_, index) => `  key${index}: x\n`).join('')
  const error = refusal(valid + keys)
  expect(error.message.split('\n')).toHaveLength(21)
  expect(error.details.problems).toHaveLength(100)
})

it('keeps hostile names out of the terminal', () => {
  const error = refusal(manifestWith('name', '"\\e[2J\\u202e"'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
  expect(error.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
})

function refusal(manifest: string): AegisError {
  try {
    parseManifest(manifest, { file: 'agent.yaml' })
  } catch (error) {
    if (error instanceof AegisError) return error
    throw error
  }
  throw new Error('It was accepted')
}
