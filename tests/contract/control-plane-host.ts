import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Api, type ApiOptions, openApi } from '@aegis/api'
import {
  type AgentNames,
  agentId,
  type Clock,
  type ControlPlane,
  type DomainNode,
  defaultNodeConfig,
  executionId,
  exitCodeValidator,
  type Isolation,
  limitsOf,
  makeNode,
  type NodeConfig,
  outputValidator,
  type PolicyEngine,
  type RuntimeConfig,
  type SandboxRuntime,
  Secret,
  type SupplyVerifiers,
  sandboxId,
} from '@aegis/core'
import {
  forgetfulTrail,
  type InMemoryStore,
  makeFakeAuditLog,
  makeInMemoryStore,
  makeInMemoryVault,
  makeRecordingTrail,
  noFigures,
  noSupply,
  openPolicies,
  type RecordingTrail,
} from '@aegis/core/testing'
import { connectNode, type NodeConnection } from '@aegis/sdk'
import { mintToken } from '@aegis/security'
import { type FakeImageStore, makeFakeImageStore } from './fake-image-store.ts'
import { type FakeCommand, openFakeRuntime } from './fake-runtime.ts'

/** A control plane under test. */
export interface ControlPlaneHost extends AsyncDisposable {
  readonly plane: ControlPlane
}

/** One whose images are in the hands of the test. */
export interface ImagePlaneHost extends ControlPlaneHost {
  readonly images: FakeImageStore
}

/** A node in memory, without a port. */
export interface MemoryNode extends ImagePlaneHost {
  readonly node: DomainNode
  readonly audit: RecordingTrail
  readonly store: InMemoryStore
}

export interface MemoryNodeOptions {
  /** Not started, it only accepts and stores. Default: started. */
  readonly start?: boolean
  /** In the order of preference. Default: process, docker. */
  readonly runtimes?: readonly Isolation[]
  readonly config?: Partial<RuntimeConfig>
  /** What images and manifests must be signed by. */
  readonly supply?: SupplyVerifiers
  readonly requireDigest?: boolean
  readonly policies?: PolicyEngine
}

/**
 * The whole domain in memory. Its agents answer their input, but wait forever for `wait` and exit
 * with 3 for `fail`. Its registry has node:24, which the agents of tests ask for.
 */
export async function openMemoryNode({
  start = true,
  runtimes = ['process', 'docker'],
  config = {},
  supply = noSupply,
  requireDigest = false,
  policies = openPolicies,
}: MemoryNodeOptions = {}): Promise<MemoryNode> {
  const store = makeInMemoryStore()
  const images = makeFakeImageStore()
  const audit = makeRecordingTrail()
  images.publish('node:24')
  const node = makeNode({
    ...store,
    config: configOf(config, requireDigest),
    gateway: {
      trustBundle: async () => new Uint8Array(),
      admit: () => ({ connect: (_target, stream) => stream.destroy(), [Symbol.dispose]() {} }),
      async [Symbol.asyncDispose]() {},
    },
    policies,
    vault: makeInMemoryVault(),
    supply,
    audit,
    auditLog: makeFakeAuditLog(store.audit),
    mintToken,
    runtimes: new Map(runtimes.map((isolation) => [isolation, runtimeOf(isolation, images)])),
    bootstrap: () => ({
      file: { path: '/opt/bootstrap', content: new Uint8Array() },
      argv: ['agent'],
    }),
    validators: [exitCodeValidator, outputValidator],
    limitsOf: (manifest) => limitsOf(manifest),
    capacity: { cpuMillicores: 4_000, memoryBytes: 1e9, maxConcurrent: 100 },
    runs: 'all',
    debug: false,
    clock: realClock,
    ids: {
      agent: (name) => agentId(uuidOf(name)),
      execution: () => executionId(randomUUID()),
      sandbox: () => sandboxId(randomUUID()),
      placeholder: () => 'aegis-secret-0',
    },
    logger: silent,
    about: { version: '0.1.0', pid: process.pid, scriptedModel: true, exposed: false },
  })
  if (start) await node.start(new AbortController().signal)
  return {
    plane: node.controlPlane,
    node,
    audit,
    images,
    store,
    [Symbol.asyncDispose]: () => node.stop(),
  }
}

function runtimeOf(isolation: Isolation, images: FakeImageStore): SandboxRuntime {
  const runtime = openFakeRuntime({ commands: { agent } })
  if (isolation !== 'docker') return { ...runtime, isolation }
  return {
    ...runtime,
    isolation,
    images,
    capabilities: async (signal) => ({ ...(await runtime.capabilities(signal)), images: true }),
  }
}

function configOf(changes: Partial<RuntimeConfig>, requireDigest: boolean): NodeConfig {
  const { spec, ...config } = defaultNodeConfig({ hostName: 'test', nodeId: 'test' })
  const { security } = spec
  const supply = { ...security.supply, require_digest: requireDigest }
  const runtime = { ...spec.runtime, ...changes }
  return { ...config, spec: { ...spec, runtime, security: { ...security, supply } } }
}

export interface HttpNode extends ControlPlaneHost {
  readonly api: Api
}

export const testToken = new Secret('t'.repeat(43))

/** A control plane as its API and the SDK show it. */
export async function serveHttp(
  plane: ControlPlane,
  connection: Partial<NodeConnection> = {},
): Promise<HttpNode> {
  const api = await openApi({
    ...openAccess(plane),
    authenticate: async (token) =>
      token === testToken.reveal()
        ? { actor: { name: 'test', role: 'admin' } }
        : { refused: 'unknown' },
    network: { bindAddress: '127.0.0.1', port: 0 },
    version: '0.1.0',
    logger: silent,
    ready: () => true,
  })
  return {
    api,
    plane: connectNode({ url: api.url, token: testToken, ...connection }),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  }
}

/** What an API needs besides to let everybody do everything. */
export const openAccess = (
  plane: ControlPlane,
): Pick<ApiOptions, 'node' | 'policies' | 'audit' | 'clock' | 'rates'> => ({
  node: { as: () => plane, agentNames: agentNamesOf(plane), sandboxFigures: noFigures },
  policies: openPolicies,
  audit: forgetfulTrail,
  clock: realClock,
  rates: { requestsPerMinute: 1_000_000, failuresPerMinute: 100_000 },
})

/** By the plane's own means. */
const agentNamesOf = ({ agents, executions }: ControlPlane): AgentNames => ({
  ofRef: (ref) => agents.find(ref).catch(() => undefined),
  async ofExecution(id) {
    const found = await executions.find(id).catch(() => undefined)
    return found && { id: found.agentId, name: found.agentName }
  },
})

export const realClock: Clock = {
  now: () => new Date().toISOString(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
}

export const silent = { debug() {}, info() {}, warn() {}, error() {} }

const agent: FakeCommand = async ({ stdin, print, killed }) => {
  const chunks: Uint8Array[] = []
  for await (const chunk of stdin) chunks.push(chunk)
  const input = Buffer.concat(chunks).toString()
  if (input === 'fail') return 3
  if (input === 'wait') {
    await new Promise((resolve) => killed.addEventListener('abort', resolve))
    return 1
  }
  await print(input)
  return 0
}

/** The same id for the same name. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5')
}
