import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type AgentGateway,
  agentId,
  type ControlPlane,
  defaultNodeConfig,
  executionId,
  exitCodeValidator,
  type Ids,
  isTerminalEvent,
  makeNode,
  type SandboxProcess,
  type SandboxRuntime,
  sandboxId,
} from '@aegis/core'
import {
  forgetfulTrail,
  makeFakeAuditLog,
  makeInMemoryVault,
  noSupply,
  openPolicies,
} from '@aegis/core/testing'
import { mintToken } from '@aegis/security'
import type { Store } from '@aegis/storage'

export interface NoopNode extends AsyncDisposable {
  readonly controlPlane: ControlPlane
  /** Resolves when that many more executions have ended. */
  whenEnded(count: number): Promise<void>
}

/** The real domain on a real store, with sandboxes that boot at once and end at once. */
export async function openNoopNode(store: Store): Promise<NoopNode> {
  const node = makeNode({
    ...store,
    config: defaultNodeConfig({ hostName: 'bench', nodeId: 'bench' }),
    gateway: noGateway,
    policies: openPolicies,
    vault: makeInMemoryVault(),
    supply: noSupply,
    audit: forgetfulTrail,
    auditLog: makeFakeAuditLog(store.audit),
    mintToken,
    runtimes: new Map([['process', noopRuntime]]),
    bootstrap: () => ({ file: { path: '/bootstrap', content: new Uint8Array() }, argv: ['noop'] }),
    validators: [exitCodeValidator],
    limitsOf: () => ({
      cpuMillicores: 1,
      memoryBytes: 1,
      diskBytes: 1,
      pids: 1,
      outputBytes: 1,
      timeoutMs: 60_000,
      iterationTimeoutMs: 60_000,
    }),
    capacity: { cpuMillicores: 64, memoryBytes: 1e9, maxConcurrent: 64 },
    runs: 'all',
    debug: false,
    clock: {
      now: () => new Date().toISOString(),
      monotonicMs: () => performance.now(),
      sleep: (ms, signal) => delay(ms, undefined, { signal }),
    },
    ids,
    logger: silent,
    about: { version: '0', pid: process.pid, scriptedModel: true, exposed: false },
  })
  await node.start(new AbortController().signal)
  return {
    controlPlane: node.controlPlane,
    whenEnded(count) {
      let left = count
      return new Promise((resolve) => {
        const subscription = store.events.subscribe((recorded) => {
          left -= recorded.filter(({ event }) => isTerminalEvent(event.type)).length
          if (left > 0) return
          subscription[Symbol.dispose]()
          resolve()
        })
      })
    },
    [Symbol.asyncDispose]: () => node.stop(),
  }
}

const noUsage = { cpuUserMs: 0, cpuSystemMs: 0, maxRssBytes: 0 }

async function* nothing(): AsyncGenerator<Uint8Array> {}

const noopProcess = (): SandboxProcess => ({
  stdout: nothing(),
  stderr: nothing(),
  writeStdin: async () => {},
  closeStdin() {},
  kill() {},
  resize() {},
  exit: Promise.resolve({ code: 0, signal: undefined, usage: noUsage, cause: undefined }),
})

const noStats = {
  cpuMs: 0,
  memoryBytes: 0,
  memoryPeakBytes: 0,
  pids: 0,
  ioReadBytes: 0,
  ioWriteBytes: 0,
}

const noopRuntime: SandboxRuntime = {
  isolation: 'process',
  capabilities: async () => ({
    limits: { cpu: true, memory: true, pids: true, disk: true },
    terminal: false,
    languages: ['javascript', 'none'],
    images: false,
    applicationKernels: [],
    gpus: false,
    lendsByName: false,
    capturesAddresses: false,
  }),
  boot: async (spec) => ({
    id: spec.id,
    isolation: 'process',
    bootPhases: {},
    exec: async () => noopProcess(),
    writeFiles: async () => {},
    readFile: async () => new Uint8Array(),
    stats: async () => noStats,
    ended: new Promise(() => {}),
    async [Symbol.asyncDispose]() {},
  }),
  sweep: async () => ({ removed: [] }),
  diagnose: async () => [],
  async [Symbol.asyncDispose]() {},
}

const noGateway: AgentGateway = {
  trustBundle: async () => new Uint8Array(),
  admit: () => ({ connect: (_target, stream) => stream.destroy(), [Symbol.dispose]() {} }),
  async [Symbol.asyncDispose]() {},
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

const ids: Ids = {
  agent: (name) => agentId(name),
  execution: () => executionId(randomUUID()),
  sandbox: () => sandboxId(randomUUID()),
  placeholder: () => 'aegis-secret-0',
}
