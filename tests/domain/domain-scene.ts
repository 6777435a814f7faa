import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type AgentGateway,
  type AuditTrail,
  agentId,
  type Bootstrap,
  type Clock,
  type ControlPlane,
  type DomainNode,
  type ExecutionEvent,
  type ExecutionLimits,
  executionId,
  exitCodeValidator,
  type Ids,
  type Logger,
  makeNode,
  type NodeConfig,
  outputValidator,
  type PolicyEngine,
  parseNodeConfigValue,
  placeholderPrefix,
  type SandboxCounts,
  type SandboxRuntime,
  sandboxId,
} from '@aegis/core'
import {
  forgetfulTrail,
  type InMemoryStore,
  makeFakeAuditLog,
  makeInMemoryStore,
  makeInMemoryVault,
  noSupply,
  openPolicies,
} from '@aegis/core/testing'
import { mintToken } from '@aegis/security'
import * as z from 'zod'
import { type FakeCommand, type FakeRuntime, openFakeRuntime } from '../contract/fake-runtime.ts'

interface SceneOptions {
  /** What the agent's command does; it stands for the bootstrap script. */
  readonly agent?: FakeCommand
  /** What it does where it was started ahead; absent: it waits for its task. */
  readonly standby?: FakeCommand
  readonly limits?: Partial<ExecutionLimits>
  readonly cpuMillicores?: number
  readonly memoryBytes?: number
  /** Absent: nothing is kept warm. */
  readonly warmPool?: Partial<NodeConfig['spec']['runtime']['warm_pool']>
  readonly clock?: Clock
  readonly gateway?: AgentGateway
  readonly policies?: PolicyEngine
  readonly logger?: Logger
  /** A store that outlives the node, to start another on it. */
  readonly store?: InMemoryStore
  readonly runs?: 'all' | 'own'
  readonly beforeBoot?: Parameters<typeof openFakeRuntime>[0]['beforeBoot']
  /** Makes the end of a sandbox wait. */
  readonly beforeDispose?: (id: string) => Promise<void>
  /** Changes what the node sees of the runtime. */
  readonly disguise?: (runtime: SandboxRuntime) => SandboxRuntime
  /** Hears what belongs to no event. */
  readonly audit?: AuditTrail
  readonly hostPaths?: NodeConfig['spec']['runtime']['host_paths']
}

export interface Scene {
  readonly node: DomainNode
  readonly plane: ControlPlane
  readonly runtime: FakeRuntime
  readonly store: InMemoryStore
  /** All events of an execution, once it has ended. */
  finished(id: string): Promise<readonly ExecutionEvent[]>
  /** Resolves when the node counts its sandboxes so. */
  until(counts: Partial<SandboxCounts>): Promise<void>
}

export const forever = new AbortController().signal

const echoInput: FakeCommand = async ({ stdin, print }) => {
  for await (const chunk of stdin) await print(chunk)
  return 0
}

/** The whole domain, started, on a store in memory and sandboxes whose commands are functions. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const store = options.store ?? makeInMemoryStore()
  const runtime = openFakeRuntime({
    commands: { agent: standingBy(options.agent ?? echoInput, options.standby) },
    ...(options.beforeBoot && { beforeBoot: options.beforeBoot }),
  })
  const { disguise = (same) => same } = options
  const node = makeNode({
    ...store,
    config: configWith(options.warmPool ?? { enabled: false }, options.hostPaths),
    gateway: options.gateway ?? closedGateway,
    policies: options.policies ?? openPolicies,
    vault: makeInMemoryVault(),
    supply: noSupply,
    audit: options.audit ?? forgetfulTrail,
    auditLog: makeFakeAuditLog(store.audit),
    mintToken,
    runtimes: new Map([['process', disguise(slowToEnd(runtime, options.beforeDispose))]]),
    bootstrap: () => bootstrap,
    validators: [exitCodeValidator, outputValidator],
    limitsOf: () => ({ ...limits, ...options.limits }),
    capacity: {
      cpuMillicores: options.cpuMillicores ?? 4000,
      memoryBytes: options.memoryBytes ?? 1e9,
      maxConcurrent: 100,
    },
    runs: options.runs ?? 'all',
    debug: false,
    clock: options.clock ?? clock,
    ids: countingIds(store),
    logger: options.logger ?? silent,
    about: { version: '0', pid: 1, scriptedModel: true, exposed: false },
  })
  await node.start(forever)
  const plane = node.controlPlane
  return {
    node,
    plane,
    runtime,
    store,
    async finished(id) {
      const events: ExecutionEvent[] = []
      for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
        events.push(event)
      }
      return events
    },
    async until(counts) {
      const ended = new AbortController()
      const news = plane.sandboxes.events(ended.signal)[Symbol.asyncIterator]()
      for (;;) {
        const { sandboxes } = await plane.node.status()
        const wanted = Object.entries(counts)
        if (wanted.every(([name, count]) => Reflect.get(sandboxes, name) === count)) break
        await news.next()
      }
      ended.abort()
    },
  }
}

/** The bootstrap script of the scene: an agent that can be started before there is a task. */
function standingBy(agent: FakeCommand, waiting: FakeCommand | undefined): FakeCommand {
  return async (io) => {
    const { AEGIS_BOOTSTRAP_STANDBY: standby, ...env } = io.env
    if (standby === undefined) return agent(io)
    if (waiting !== undefined) return waiting(io)
    const [head = '', prompt = ''] = (await text(io.stdin)).split(/\n(.*)/s)
    const task = z.object({ env: z.record(z.string(), z.string()) }).parse(JSON.parse(head))
    const late = { env: { ...env, ...task.env }, stdin: Readable.from([Buffer.from(prompt)]) }
    return agent(Object.create(io, Object.getOwnPropertyDescriptors(late)))
  }
}

function slowToEnd(runtime: FakeRuntime, wait: SceneOptions['beforeDispose']): SandboxRuntime {
  if (wait === undefined) return runtime
  return {
    ...runtime,
    async boot(spec, signal) {
      const sandbox = await runtime.boot(spec, signal)
      return {
        ...sandbox,
        async [Symbol.asyncDispose]() {
          await wait(spec.id)
          await sandbox[Symbol.asyncDispose]()
        },
      }
    },
  }
}

const limits: ExecutionLimits = {
  cpuMillicores: 500,
  memoryBytes: 1e6,
  diskBytes: 1e6,
  pids: 10,
  outputBytes: 1e6,
  timeoutMs: 60_000,
  iterationTimeoutMs: 60_000,
}

const bootstrap: Bootstrap = {
  file: { path: '/opt/bootstrap', content: new Uint8Array() },
  argv: ['agent'],
  standsBy: true,
}

const closedGateway: AgentGateway = {
  trustBundle: async () => new Uint8Array(),
  admit: () => ({ connect: (_target, stream) => stream.destroy(), [Symbol.dispose]() {} }),
  async [Symbol.asyncDispose]() {},
}

const clock = {
  now: () => new Date().toISOString(),
  monotonicMs: () => performance.now(),
  sleep: (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }),
}

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Ids in sequence, which goes on where an earlier node on the same store stopped. */
const sequences = new WeakMap<InMemoryStore, { next: number }>()
function countingIds(store: InMemoryStore): Ids {
  const sequence = sequences.get(store) ?? { next: 1 }
  sequences.set(store, sequence)
  const uuid = () => `00000000-0000-4000-8000-${String(sequence.next++).padStart(12, '0')}`
  return {
    agent: (name) => agentId(`agent-${name}`),
    execution: () => executionId(uuid()),
    sandbox: () => sandboxId(uuid()),
    placeholder: () => `${placeholderPrefix}${String(sequence.next++).padStart(32, '0')}`,
  }
}

const configWith = (
  warmPool: SceneOptions['warmPool'],
  hostPaths: SceneOptions['hostPaths'],
): NodeConfig =>
  parseNodeConfigValue({
    apiVersion: '100monkeys.ai/v1',
    kind: 'NodeConfig',
    metadata: { name: 'test' },
    spec: {
      node: { id: 'test', type: 'edge' },
      runtime: {
        warm_pool: { ...warmPool },
        host_paths: hostPaths ?? { read: ['/srv/data'], write: [] },
      },
    },
  })
