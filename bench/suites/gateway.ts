import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { defaultNodeConfig, type ExecutionEvent, Secret } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { openGateway } from '@aegis/gateway'
import { openSqliteStore } from '@aegis/storage'
import { type Benchmark, inTurn, ms } from '../measure.ts'

const upstreamScript = fileURLToPath(new URL('../upstream.mjs', import.meta.url))
const clientScript = fileURLToPath(new URL('../model-client.mjs', import.meta.url))
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Calls made by a process of its own, as an agent's are; each resolves to its milliseconds. */
function startClient() {
  const child = spawn(process.execPath, [clientScript], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async call(baseUrl: string, stream: boolean, client: 'openai' | 'fetch'): Promise<void> {
      child.stdin.write(`${JSON.stringify({ baseUrl, stream, client })}\n`)
      const { done } = await lines.next()
      if (done) throw new Error('The client ended')
    },
    [Symbol.dispose]: () => void child.kill(),
  }
}

export const benchmark: Benchmark = {
  title: 'What the gateway adds to a call of a model',
  about:
    'An agent’s call through the gateway, each call stored durably before its end, over the same call made directly to the same local provider.',
  async run() {
    const directory = mkdtempSync(join(tmpdir(), 'aegis-bench-'))
    const upstream = spawn(process.execPath, [upstreamScript], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [port] = await once(createInterface(upstream.stdout), 'line')
      const direct = `http://127.0.0.1:${port}/v1`
      await using store = await openSqliteStore({ path: join(directory, 'aegis.db') })
      await using gateway = openGateway({
        nodeName: 'bench',
        providers: [
          {
            name: 'local',
            type: 'openai-compatible',
            endpoint: direct,
            api_key: 'key',
            enabled: true,
            models: [
              {
                alias: 'default',
                model: 'm',
                capabilities: [],
                context_window: 8192,
                cost_per_1k_tokens: 0,
              },
            ],
          },
        ],
        selection: defaultNodeConfig({ hostName: 'b', nodeId: 'b' }).spec.llm_selection,
        secret: (reference) => new Secret(reference),
        readText: () => '',
        logger: silent,
      })
      let version = 0
      const record = async (event: ExecutionEvent): Promise<void> => {
        await store.events.append({
          stream: 'execution-bench',
          expectedVersion: version++,
          events: [event],
        })
      }
      await record({
        type: 'execution.queued',
        agentId: 'bench' as Extract<ExecutionEvent, { type: 'execution.queued' }>['agentId'],
        agentName: 'bench',
        agentRevision: 1,
        input: '',
        priority: 0,
        isolation: 'process',
        cpuMillicores: 1,
        memoryBytes: 1,
        at: new Date().toISOString(),
      })
      using door = gateway.admit(anIdentity(), {
        llmCalled: (call) =>
          record({
            type: 'execution.llm-called',
            iteration: 1,
            call,
            at: new Date().toISOString(),
          }),
        denied: async () => {},
        connecting: async () => {},
        disconnected: async () => {},
        secretUsed: async () => {},
      })
      // Stands for the loopback of a sandbox: each connection goes to the gateway as it is.
      const inside = createServer({ noDelay: true }, (socket) =>
        door.connect({ kind: 'agent-api' }, socket),
      )
      inside.listen(0, '127.0.0.1')
      await once(inside, 'listening')
      const through = `http://127.0.0.1:${(inside.address() as AddressInfo).port}/v1`
      try {
        using client = startClient()
        const measure = (rounds: number, stream: boolean, kind: 'openai' | 'fetch') =>
          inTurn(
            rounds,
            () => client.call(through, stream, kind),
            () => client.call(direct, stream, kind),
          )
        const single = await measure(200, false, 'fetch')
        const parsed = await measure(20, true, 'openai')
        const counted = await measure(20, true, 'fetch')
        const added = single.subjectMs - single.baselineMs
        const throughput = 1 / parsed.ratio
        return [
          {
            name: 'latency added, p50',
            value: ms(added),
            ratio: single.ratio,
            goal: '≤ 2 ms',
            met: added <= 2,
          },
          { name: 'call made directly', value: ms(single.baselineMs) },
          {
            name: 'streaming 10,000 chunks, official openai client',
            value: ms(parsed.subjectMs),
            ratio: throughput,
            goal: '≥ 0.8',
            met: throughput >= 0.8,
          },
          {
            name: 'streaming 10,000 chunks, only counting bytes',
            value: ms(counted.subjectMs),
            ratio: 1 / counted.ratio,
          },
        ]
      } finally {
        inside.close()
      }
    } finally {
      upstream.kill()
      rmSync(directory, { recursive: true, force: true })
    }
  },
}
