import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { defaultNodeConfig, type ExecutionEvent, Secret } from '@aegis/core'
import { openGateway } from '@aegis/gateway'
import { openSqliteStore } from '@aegis/storage'
import { type Benchmark, inTurn, ms } from '../measure.ts'

const upstreamScript = fileURLToPath(new URL('../upstream.mjs', import.meta.url))
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** Sends one chat completion and reads the whole answer. */
async function complete(baseUrl: string, stream: boolean): Promise<void> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
    body: JSON.stringify({ model: 'm', stream, messages: [{ role: 'user', content: 'Hi' }] }),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  await response.arrayBuffer()
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
      using door = gateway.admit(
        {
          executionId: 'bench',
          agentId: 'bench',
          agentName: 'bench',
          iteration: 1,
          defaultModel: 'default',
        },
        {
          llmCalled: (call) =>
            record({
              type: 'execution.llm-called',
              iteration: 1,
              call,
              at: new Date().toISOString(),
            }),
          denied: async () => {},
        },
      )
      // Stands for the loopback of a sandbox: each connection goes to the gateway as it is.
      const inside = createServer((socket) => door.connect({ kind: 'agent-api' }, socket))
      inside.listen(0, '127.0.0.1')
      await once(inside, 'listening')
      const through = `http://127.0.0.1:${(inside.address() as AddressInfo).port}/v1`
      try {
        const single = await inTurn(
          200,
          () => complete(through, false),
          () => complete(direct, false),
        )
        const streamed = await inTurn(
          20,
          () => complete(through, true),
          () => complete(direct, true),
        )
        const added = single.subjectMs - single.baselineMs
        const throughput = streamed.baselineMs / streamed.subjectMs
        return [
          {
            name: 'latency added, p50',
            value: ms(added),
            ratio: single.ratio,
            goal: '≤ 2 ms',
            met: added <= 2,
          },
          { name: 'call through the gateway', value: ms(single.subjectMs) },
          { name: 'call made directly', value: ms(single.baselineMs) },
          {
            name: 'streaming throughput over direct (2,000 chunks)',
            value: ms(streamed.subjectMs),
            ratio: throughput,
            goal: '≥ 0.8',
            met: throughput >= 0.8,
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
