import { randomUUID } from 'node:crypto'
import { access, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ControlPlane, type ExecutionEvent, type LlmCall, parseNodeConfig } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { openNode } from '@aegis/daemon'
import { expect } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { lendPackages } from './lent-packages.ts'
import { rules } from './rules.ts'

/** A node that lends the npm packages of this repository to agents, and answers from rules. */
export interface ClientNode extends AsyncDisposable {
  readonly plane: ControlPlane
  /** What no agent may ever see. */
  readonly secrets: readonly string[]
  /** Executes a deployed agent, which must complete. */
  finish(agent: string, input: string): Promise<FinishedRun>
  /** Deploys a program of the folder `agents`, and executes it. */
  run(agent: AgentProgram, input?: string): Promise<FinishedRun>
}

export interface AgentProgram {
  readonly file: `${string}.mjs` | `${string}.py`
  readonly command: readonly [string, ...string[]]
}

export interface FinishedRun {
  readonly output: string
  readonly events: readonly ExecutionEvent[]
  readonly calls: readonly LlmCall[]
}

/** Why no agent can use these packages here. */
export const whyNoClients = (): string | undefined => whyNoProcessHost()

/** Why no agent in Python can run here; `AEGIS_REQUIRE=python` makes that a failure. */
export async function whyNoPython(): Promise<string | undefined> {
  const found = await access('/usr/bin/python3').then(
    () => true,
    () => false,
  )
  if (found) return undefined
  const why = 'there is no /usr/bin/python3: apt-get install python3'
  if ((process.env.AEGIS_REQUIRE ?? '').split(',').includes('python')) throw new Error(why)
  return why
}

export async function openClientNode(): Promise<ClientNode> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-clients-')))
  const rulesPath = join(home, 'rules.json')
  const secrets = [`sk-literal-${randomUUID()}`, `sk-variable-${randomUUID()}`] as const
  await writeFile(rulesPath, JSON.stringify(rules))
  const lent = await lendPackages(['openai', '@anthropic-ai/sdk', 'ollama'])
  const packages = lent.directory
  const config = parseNodeConfig(JSON.stringify(configWith(rulesPath, packages, secrets[0])))
  const env = { PATH: process.env.PATH, SECRET_KEY: secrets[1] }
  const node = await openNode({ home, config, env, logger: silent })
  const plane = node.controlPlane
  const finish = async (agent: string, input: string): Promise<FinishedRun> => {
    const events: ExecutionEvent[] = []
    const id = await plane.executions.execute(agent, input)
    for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
      events.push(event)
    }
    const last = events.at(-1)
    const said = events.flatMap((event) => (event.type === 'execution.console' ? event.text : []))
    expect(last, said.join('')).toMatchObject({ type: 'execution.completed' })
    const calls = events.flatMap((event) =>
      event.type === 'execution.llm-called' ? [event.call] : [],
    )
    return { output: last?.type === 'execution.completed' ? last.output : '', events, calls }
  }
  return {
    plane,
    secrets,
    finish,
    async run({ file, command }, input = 'Hello') {
      await plane.agents.deploy(await manifestOf(packages, file, command), { replace: true })
      return finish(nameOf(file), input)
    },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]()
      await lent[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** Besides the scripted provider two real ones with keys, which nobody asks. */
function configWith(rulesPath: string, packages: string, secret: string): object {
  const model = (alias: string) => ({ alias, model: `${alias}-1` })
  const endpoint = 'http://127.0.0.1:9/v1'
  return {
    node: { id: 'clients', type: 'edge' },
    llm_providers: [
      { name: 'script', type: 'scripted', rules: rulesPath, models: [model('default')] },
      { name: 'real', type: 'openai', endpoint, api_key: secret, models: [model('real')] },
      {
        name: 'other',
        type: 'anthropic',
        endpoint,
        api_key: 'env:SECRET_KEY',
        models: [model('other')],
      },
    ],
    llm_selection: { default_provider: 'script' },
    runtime: { host_paths: { read: [packages] } },
  }
}

async function manifestOf(
  packages: string,
  file: AgentProgram['file'],
  command: AgentProgram['command'],
) {
  const content = await readFile(new URL(`./agents/${file}`, import.meta.url), 'utf8')
  const language = file.endsWith('.py') ? 'python' : 'javascript'
  const manifest = aManifest(nameOf(file), {
    runtime: { language },
    task: { command, prompt_template: '{{input}}' },
    context: [{ type: 'text', path: file, content, encoding: 'utf-8' }],
    filesystem: { read: [packages] },
    resources: { cpu: 1000, memory: '512Mi', disk: '16Mi', timeout: '60s' },
  })
  return { ...manifest, spec: { ...manifest.spec, env: { PACKAGES: `${packages}/` } } }
}

const nameOf = (file: string): string => file.replace(/\.\w+$/, '')

const forever = new AbortController().signal
const silent = { debug() {}, info() {}, warn() {}, error() {} }
