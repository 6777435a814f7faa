import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { AgentManifest } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import type { ControlPlane } from '@aegis/sdk'
import { type Ground, openGround } from '../../tests/egress/world/open-ground.ts'
import { whyNoWorld } from '../../tests/egress/world/requirements.ts'
import { openBenchDaemon } from '../bench-daemon.ts'
import { type Benchmark, type Figure, median, ms } from '../measure.ts'

const run = promisify(execFile)
const rounds = 5
const bytes = 256 * 2 ** 20
const clientPath = fileURLToPath(new URL('../egress-client.mjs', import.meta.url))
const sitePath = fileURLToPath(new URL('../egress-site.mjs', import.meta.url))

/** As the client prints it. */
interface Seen {
  readonly bytesPerSecond: number
  readonly keptMs: number
  readonly newMs: number
}

export const benchmark: Benchmark = {
  title: 'Connections out of a sandbox',
  about:
    'A Node.js client in a process sandbox, which downloads 256 MiB over HTTPS and asks for 100 bytes 230 times, over the same client outside, connected directly; unread, and with TLS ended at the gateway. A new connection includes its name, its TLS handshake, the policy and two entries of the audit that are durable first.',
  async run() {
    const missing = whyNoWorld()
    if (missing !== undefined) return [{ name: missing, value: '-' }]
    await using world = await openGround()
    await using _site = await openSite(world)
    process.env.NODE_EXTRA_CA_CERTS = world.certificates.authorityPath
    await using daemon = await openBenchDaemon(
      { warm_pool: { enabled: false } },
      { egress: { reachable_ranges: [world.range], resolvers: [world.names.at] } },
    )
    const client = await readFile(clientPath, 'utf8')
    for (const manifest of agents(world, client)) await daemon.plane.agents.deploy(manifest)
    const subjects = {
      direct: () => seenDirectly(world),
      opaque: () => seenInside(daemon.plane, 'opaque'),
      inspected: () => seenInside(daemon.plane, 'inspected'),
    }
    const seen = { direct: [] as Seen[], opaque: [] as Seen[], inspected: [] as Seen[] }
    for (let round = 0; round <= rounds; round++) {
      for (const name of ['direct', 'opaque', 'inspected'] as const) {
        const figures = await subjects[name]()
        if (round > 0) seen[name].push(figures)
      }
    }
    return figuresOf(seen)
  },
}

function figuresOf(seen: Readonly<Record<'direct' | 'opaque' | 'inspected', Seen[]>>): Figure[] {
  const of = (name: keyof typeof seen, key: keyof Seen) => median(seen[name].map((one) => one[key]))
  const megabytes = (value: number) => `${Math.round(value / 1e6)} MB/s`
  const direct = of('direct', 'bytesPerSecond')
  const throughput = (name: 'opaque' | 'inspected', least: number): Figure => {
    const ratio = of(name, 'bytesPerSecond') / direct
    const value = megabytes(of(name, 'bytesPerSecond'))
    return { name: `download, ${name}`, value, ratio, goal: `≥ ${least}`, met: ratio >= least }
  }
  const added = (name: 'opaque' | 'inspected', key: 'keptMs' | 'newMs'): Figure => {
    const subject = of(name, key)
    const baseline = of('direct', key)
    const figure = {
      name: `${key === 'keptMs' ? 'request' : 'new connection'} p50, ${name}: ${ms(subject - baseline)} added`,
      value: ms(subject),
      ratio: subject / baseline,
    }
    if (key === 'newMs') return figure
    return { ...figure, goal: '≤ 1 ms added', met: subject - baseline <= 1 }
  }
  return [
    { name: 'download, direct', value: megabytes(direct), ratio: 1 },
    throughput('opaque', 0.5),
    throughput('inspected', 0.25),
    { name: 'request p50, direct', value: ms(of('direct', 'keptMs')), ratio: 1 },
    added('opaque', 'keptMs'),
    added('inspected', 'keptMs'),
    { name: 'new connection p50, direct', value: ms(of('direct', 'newMs')), ratio: 1 },
    added('opaque', 'newMs'),
    added('inspected', 'newMs'),
  ]
}

async function openSite({ address, certificates }: Ground): Promise<AsyncDisposable> {
  const { certPath, keyPath } = certificates
  const site = spawn(process.execPath, [sitePath, address('web'), certPath, keyPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(site.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      site.stdin.end()
      await once(site, 'exit')
    },
  }
}

function agents({ address, certificates }: Ground, client: string): readonly AgentManifest[] {
  const text = (path: string, content: string) =>
    ({ type: 'text', path, content, encoding: 'utf-8' }) as const
  const agent = (name: string, host: string, network: object): AgentManifest => {
    const manifest = aManifest(name, {
      task: { command: ['node', '/workspace/client.mjs'] },
      context: [text('client.mjs', client), text('ca.pem', certificates.authority)],
      resources: { cpu: 2000, memory: '512Mi' },
      network: { mode: 'allow', ...network },
    })
    const env = { HOST: host, BYTES: `${bytes}`, NODE_EXTRA_CA_CERTS: '/workspace/ca.pem' }
    const { NODE_EXTRA_CA_CERTS: _, ...trusting } = env
    // Where TLS ends at the gateway, AEGIS says whom to trust.
    return { ...manifest, spec: { ...manifest.spec, env: name === 'opaque' ? env : trusting } }
  }
  const range = `${address('web')}/32`
  return [
    agent('opaque', 'web.aegis.test', { allowlist: ['web.aegis.test', range] }),
    agent('inspected', 'read.aegis.test', {
      allowlist: [range],
      http: [{ host: 'read.aegis.test', methods: ['GET'], paths: ['/bytes'] }],
    }),
  ]
}

async function seenInside({ executions }: ControlPlane, name: string): Promise<Seen> {
  const id = await executions.execute(name, '')
  const signal = new AbortController().signal
  for await (const _ of executions.events(id, { follow: true }, signal));
  const { output, status, failure } = await executions.find(id)
  if (status !== 'completed' || output === undefined) throw new Error(JSON.stringify(failure))
  return JSON.parse(output)
}

async function seenDirectly({ address, certificates }: Ground): Promise<Seen> {
  const { stdout } = await run(process.execPath, [clientPath], {
    env: {
      HOST: 'web.aegis.test',
      ADDRESS: address('web'),
      BYTES: `${bytes}`,
      NODE_EXTRA_CA_CERTS: certificates.authorityPath,
    },
  })
  return JSON.parse(stdout)
}
