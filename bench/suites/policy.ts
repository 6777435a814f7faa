import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AgentPolicy, type AgentRequest, localActor } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { openPolicyEngine } from '@aegis/security'
import { type Benchmark, type Figure, median, percentile } from '../measure.ts'

const loadScript = fileURLToPath(new URL('../policy-load.ts', import.meta.url))
const silent = { info: () => undefined, error: () => undefined }
const egress = { allow_public: false, reachable_ranges: [], resolvers: [], limits: {} }

const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index)

const connect = (host: string, port = 443): AgentRequest => ({
  action: 'network.connect',
  host,
  port,
})

const request = (host: string, path: string): AgentRequest => ({
  action: 'network.connect',
  host,
  port: 443,
  http: { method: 'GET', path, headers: { accept: '*/*', 'user-agent': 'bench' } },
})

/** An agent with as many entries, of which each third is a suffix, and one rule for requests. */
const agent = (name: string, entries: number) => ({
  name,
  manifest: aManifest(name, {
    network: {
      mode: 'allow',
      allowlist: range(entries).map(
        (index) => `${index % 3 === 0 ? '*.' : ''}h${index}.example.com`,
      ),
      http: [{ host: 'api.example.com', methods: ['GET'], paths: ['/repos/*'] }],
    },
  }),
})

/** Forbids of an operator, none of which holds. */
const ceilings = (number: number): string =>
  range(number)
    .map(
      (index) =>
        `forbid (principal, action == Action::"network.connect", resource) when { context.host like "*.x${index}.example.org" || context.port == ${20_000 + index} };`,
    )
    .join('\n')

function microseconds({ decide }: AgentPolicy, asked: readonly AgentRequest[]): readonly number[] {
  return asked.map((one) => {
    const start = performance.now()
    const { allow } = decide(one)
    const time = (performance.now() - start) * 1000
    if (!allow) throw new Error(`Denied: ${JSON.stringify(one)}`)
    return time
  })
}

function figures(name: string, times: readonly number[], goal: number): readonly Figure[] {
  return ([50, 99] as const).map((percent) => {
    const value = percentile(times, percent)
    return {
      name: `${name}, p${percent}`,
      value: `${value.toFixed(value < 10 ? 2 : 0)} µs`,
      goal: `≤ ${goal} µs`,
      met: value <= goal,
    }
  })
}

export const benchmark: Benchmark = {
  title: 'Decisions of the policy engine',
  about:
    'One question of an agent, put to Cedar the first time and answered from memory after that; with the policies of a small manifest, and of one of 1000 entries under 50 of the operator.',
  async run() {
    const folder = mkdtempSync(join(tmpdir(), 'aegis-bench-'))
    try {
      writeFileSync(join(folder, 'ceiling.cedar'), ceilings(50))
      const shared = { required: false, eager: true, security: { egress }, logger: silent }
      using small = openPolicyEngine({ ...shared, folder: join(folder, 'none') })
      using large = openPolicyEngine({ ...shared, folder })
      const hosts = (entries: number) =>
        range(entries).map((index) =>
          index % 3 === 0 ? `a.h${index}.example.com` : `h${index}.example.com`,
        )
      const few = range(300).flatMap((round) => {
        const policy = small.forAgent(agent(`few-${round}`, 10))
        // Compiling the manifest is no decision.
        policy.decide({ action: 'llm.generate', model: 'default' })
        return microseconds(
          policy,
          hosts(10).map((host) => connect(host)),
        )
      })
      const many = large.forAgent(agent('many', 1000))
      many.decide({ action: 'llm.generate', model: 'default' })
      const manyHosts = hosts(1000).map((host) => connect(host))
      const first = microseconds(many, manyHosts)
      const paths = range(1000).map((index) => request('api.example.com', `/repos/${index}`))
      const requests = microseconds(many, paths)
      const again = range(20).flatMap(() => microseconds(many, [...manyHosts, ...paths]))
      const asked = agent('deployed', 1000)
      const start = performance.now()
      const { allow, because } = large.decideDeploy(localActor, asked, { isolation: 'process' })
      if (!allow) throw new Error(because)
      const deploy = performance.now() - start
      const loads = range(5).map(() => {
        const out = execFileSync(process.execPath, [loadScript], { encoding: 'utf8' })
        const { open, first: decided }: { open: number; first: number } = JSON.parse(out)
        return { open, decided }
      })
      return [
        ...figures('first time, manifest of 10 entries', few, 500),
        ...figures('first time, 1000 entries and 50 of the operator', first, 500),
        ...figures('first time, a request of HTTP', requests, 500),
        ...figures('repeated', again, 20),
        {
          name: 'deploy: 1000 entries shown to be inside 50 ceilings',
          value: `${deploy.toFixed(0)} ms`,
        },
        openFigure(median(loads.map(({ open }) => open))),
        {
          name: 'first decision of a process, with loading Cedar',
          value: `${median(loads.map(({ decided }) => decided)).toFixed(0)} ms`,
        },
      ]
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

const openFigure = (ms: number): Figure => ({
  name: 'what opening adds to the start of a node without policies',
  value: `${ms.toFixed(1)} ms`,
  goal: '≤ 60 ms',
  met: ms <= 60,
})
