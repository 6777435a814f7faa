import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type Api, openApi } from '@aegis/api'
import {
  agentId,
  type ControlPlane,
  defaultNodeConfig,
  executionId,
  exitCodeValidator,
  limitsOf,
  makeNode,
  outputValidator,
  Secret,
  sandboxId,
} from '@aegis/core'
import { type InMemoryStore, makeInMemoryStore } from '@aegis/core/testing'
import { connectNode, type NodeConnection } from '@aegis/sdk'
import { type FakeCommand, openFakeRuntime } from './fake-runtime.ts'

/** A control plane under test. */
export interface ControlPlaneHost extends AsyncDisposable {
  readonly plane: ControlPlane
}

/** A node in memory, without a port. */
export interface MemoryNode extends ControlPlaneHost {
  readonly store: InMemoryStore
}

/**
 * The whole domain in memory. Its agents answer their input, but wait forever for `wait` and exit
 * with 3 for `fail`. Not started, it only accepts and stores.
 */
export async function openMemoryNode({ start = true } = {}): Promise<MemoryNode> {
  const store = makeInMemoryStore()
  const runtime = openFakeRuntime({ commands: { agent } })
  const node = makeNode({
    ...store,
    config: defaultNodeConfig({ hostName: 'test', nodeId: 'test' }),
    gateway: {
      admit: () => ({ connect: (_target, stream) => stream.destroy(), [Symbol.dispose]() {} }),
      async [Symbol.asyncDispose]() {},
    },
    runtimes: new Map([['process', runtime]]),
    bootstrap: () => ({
      file: { path: '/opt/bootstrap', content: new Uint8Array() },
      argv: ['agent'],
    }),
    validators: [exitCodeValidator, outputValidator],
    limitsOf: (manifest) => limitsOf(manifest),
    capacity: { cpuMillicores: 4_000, memoryBytes: 1e9, maxConcurrent: 100 },
    runs: 'all',
    debug: false,
    clock: {
      now: () => new Date().toISOString(),
      monotonicMs: () => performance.now(),
      sleep: (ms, signal) => delay(ms, undefined, { signal }),
    },
    ids: {
      agent: (name) => agentId(uuidOf(name)),
      execution: () => executionId(randomUUID()),
      sandbox: () => sandboxId(randomUUID()),
    },
    logger: silent,
    about: { version: '0.1.0', pid: process.pid, scriptedModel: true },
  })
  if (start) await node.start(new AbortController().signal)
  return {
    plane: node.controlPlane,
    store,
    [Symbol.asyncDispose]: () => node.stop(),
  }
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
    controlPlane: plane,
    authenticate: async (token) => (token === testToken.reveal() ? { name: 'test' } : undefined),
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
