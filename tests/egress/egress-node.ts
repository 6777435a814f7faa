import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AuditEntry, Isolation } from '@aegis/core'
import { homeAt, readApiToken } from '@aegis/daemon'
import { connectNode } from '@aegis/sdk'
import { type AegisCommand, openNodeCommand } from '../e2e/aegis-command.ts'
import { engineConfig } from '../e2e/docker-command.ts'
import { ok } from '../e2e/product-commands.ts'
import { followTask, type ToldExecution } from '../e2e/told-events.ts'
import type { Engine } from '../engine/test-engine.ts'
import type { World } from './world/open-world.ts'

/** A daemon whose agents live in a world of the tests. */
export interface EgressNode extends AsyncDisposable {
  readonly aegis: AegisCommand
  /** Deploys an agent that runs a script of `agents/` and executes it once. */
  runAgent(agent: EgressAgent): Promise<ToldExecution>
  /** What the audit log tells of an execution, oldest first. */
  audit(executionId: string): Promise<readonly AuditEntry[]>
}

export interface EgressAgent {
  readonly name: string
  /** In `agents/`; run by the shell, or by node where it ends with `.mjs`. */
  readonly script: string
  readonly isolation: Isolation
  readonly sandbox?: 'gvisor'
  /** `spec.security.network`. */
  readonly network: object
  readonly secrets?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly timeout?: string
}

export interface EgressNodeOptions {
  readonly engine?: Pick<Engine, 'socketPath'>
  readonly security?: object
  /** Kernels for micro-VMs. */
  readonly kernelDirectory?: string
}

export async function openEgressNode(
  world: World,
  options: EgressNodeOptions = {},
): Promise<EgressNode> {
  const { engine, security, kernelDirectory } = options
  const aegis = await openNodeCommand()
  const config = {
    node: { id: 'egress', type: 'edge' },
    runtime: {
      warm_pool: { enabled: false },
      ...(engine && { ...engineConfig(engine), images: { javascript: 'clients:1' } }),
    },
    security: {
      egress: { reachable_ranges: [world.range], resolvers: [world.names.at] },
      ...security,
    },
  }
  await aegis.write('aegis-config.yaml', JSON.stringify(config))
  if (kernelDirectory) await cp(kernelDirectory, join(aegis.home, 'kernels'), { recursive: true })
  await aegis.write('ca.pem', world.certificates.authority)
  // The gateway trusts this authority as it would a public one.
  const env = { NODE_EXTRA_CA_CERTS: world.certificates.authorityPath }
  const started = await aegis.runWith({ env }, 'daemon', 'start', '--port', String(aegis.port))
  if (started.code !== 0) throw new Error(started.stderr)
  const token = await readApiToken(homeAt(aegis.home).token)
  const plane = connectNode({ url: `http://127.0.0.1:${aegis.port}`, token })
  return {
    aegis,
    async runAgent(agent) {
      const path = await writeEgressAgent(aegis, agent)
      await ok(aegis, 'agent', 'deploy', path)
      return followTask(aegis, agent.name, '--input', '')
    },
    async audit(executionId) {
      const signal = AbortSignal.timeout(30_000)
      const found = await plane.audit.list({ executionId, limit: 1000 }, signal)
      return found.flatMap(({ entry }) => entry ?? [])
    },
    [Symbol.asyncDispose]: () => aegis[Symbol.asyncDispose](),
  }
}

async function writeEgressAgent(
  aegis: AegisCommand,
  { name, script, isolation, sandbox, network, secrets, env, timeout = '120s' }: EgressAgent,
): Promise<string> {
  const program = fileURLToPath(new URL(`./agents/${script}`, import.meta.url))
  const text = (path: string, content: string) => ({ type: 'text', path, content })
  const interpreter = script.endsWith('.mjs') ? 'node' : '/bin/sh'
  const manifest = {
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name, version: '1.0.0' },
    spec: {
      runtime: { language: 'javascript', version: '24', isolation, ...(sandbox && { sandbox }) },
      task: { command: [interpreter, `/workspace/${script}`] },
      context: [
        text(script, await readFile(program, 'utf8')),
        text('ca.pem', await readFile(`${aegis.folder}/ca.pem`, 'utf8')),
      ],
      execution: { mode: 'one-shot', max_retries: 1 },
      security: {
        network,
        resources: { cpu: 1000, memory: '512Mi', disk: '64Mi', timeout },
      },
      ...(secrets && { secrets }),
      ...(env && { env }),
    },
  }
  return aegis.write(`${name}.json`, JSON.stringify(manifest))
}
