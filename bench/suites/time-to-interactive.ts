import { whyNoEngine, whyNoGvisor } from '@aegis/tests/engine/requirements.ts'
import { openTestEngine } from '@aegis/tests/engine/test-engine.ts'
import { type AgentOptions, benchAgent, type Work } from '../bench-agents.ts'
import { type BenchDaemon, openBenchDaemon } from '../bench-daemon.ts'
import { engineRuntime } from '../docker-engine.ts'
import { type Benchmark, type Figure, median, percentile, timed } from '../measure.ts'
import { untilFirstOutput } from '../run-task.ts'

interface Kind extends Pick<AgentOptions, 'isolation' | 'sandbox'> {
  readonly name: string
  readonly whyNot: () => string | undefined
  /** How many one after the other. */
  readonly runs: number
  /** How often many at once. */
  readonly bursts: number
}

const process = { name: 'process', isolation: 'process', whyNot: () => undefined } as const
const runc = { name: 'docker/runc', isolation: 'docker', whyNot: whyNoEngine } as const
const runsc = { ...runc, name: 'docker/runsc', sandbox: 'gvisor', whyNot: whyNoGvisor } as const
const kinds: readonly Kind[] = [
  { ...process, runs: 50, bursts: 5 },
  { ...runc, runs: 50, bursts: 2 },
  { ...runsc, runs: 15, bursts: 1 },
]

const work: Work = { name: 'node -v', language: 'javascript', argv: ['node', '-v'] }
const atOnce = 20

/** All may run and wait that are wanted, so that it is the machine that is full and not the queue. */
const roomy = {
  capacity: { cpu_millicores: atOnce * 1000, memory: '16Gi' },
  warm_pool: { max_size: atOnce },
}

export const benchmark: Benchmark = {
  title: 'Time to interactive',
  about:
    'HTTP call to the answer of `node -v` seen on the event stream, one after the other (p50 / p95 / p99) and twenty at once (half of them / the last), on sandboxes that boot, that wait, and of which five wait. The ratio is that of p50, or of the last one, to the cold one.',
  async run() {
    await using resources = new AsyncDisposableStack()
    const engine = whyNoEngine() ? undefined : resources.use(await openTestEngine())
    await engine?.image('node')
    const runtime = { ...roomy, ...(engine && engineRuntime(engine)) }
    const cold = { ...runtime, warm_pool: { enabled: false } }
    const coldDaemon = resources.use(await openBenchDaemon(cold))
    const warmDaemon = resources.use(await openBenchDaemon(runtime))
    const figures: Figure[] = []
    for (const kind of kinds) {
      const why = kind.whyNot()
      if (why === undefined) figures.push(...(await measure(kind, coldDaemon, warmDaemon)))
      else figures.push({ name: `${kind.name}: not measured`, value: why })
    }
    return figures
  },
}

async function measure(
  kind: Kind,
  coldDaemon: BenchDaemon,
  warmDaemon: BenchDaemon,
): Promise<readonly Figure[]> {
  const coldEach = await sequence(kind, coldDaemon, 0)
  const coldBursts = await bursts(kind, coldDaemon, 0)
  const warmEach = await sequence(kind, warmDaemon, 1)
  const warmBursts = await bursts(kind, warmDaemon, atOnce)
  const exhausted = await bursts(kind, warmDaemon, 5)
  const name = (what: string) => `${kind.name}: ${what}`
  return [
    sequential(name(`cold, n = ${kind.runs}`), coldEach, coldEach),
    sequential(name(`warm, n = ${kind.runs}`), warmEach, coldEach),
    burst(name(`${atOnce} at once, cold`), coldBursts, coldBursts),
    burst(name(`${atOnce} at once, all warm`), warmBursts, coldBursts),
    burst(name(`${atOnce} at once, 5 of them warm`), exhausted, coldBursts),
  ]
}

/** One task after the other, with so many sandboxes that wait; the first one does not count. */
async function sequence(kind: Kind, daemon: BenchDaemon, warm: number): Promise<readonly number[]> {
  await using agent = await deploy(kind, daemon, warm)
  const times: number[] = []
  for (let run = 0; run <= kind.runs; run++) {
    await daemon.untilQuiet(warm)
    times.push(await agent.run())
  }
  return times.slice(1)
}

type Bursts = readonly (readonly number[])[]

/** Many tasks at once, some times; the first time does not count. */
async function bursts(kind: Kind, daemon: BenchDaemon, warm: number): Promise<Bursts> {
  const all: (readonly number[])[] = []
  for (let burst = 0; burst <= kind.bursts; burst++) {
    // A new one each time: for one that was in demand, the pool keeps more than it asks for.
    await using agent = await deploy(kind, daemon, warm)
    await daemon.untilQuiet(warm)
    all.push(await Promise.all(Array.from({ length: atOnce }, agent.run)))
  }
  return all.slice(1)
}

async function deploy(kind: Kind, { plane, untilQuiet }: BenchDaemon, warm: number) {
  await plane.agents.deploy(benchAgent('bench', work, { ...kind, warm }))
  return {
    run: () => timed(() => untilFirstOutput(plane, 'bench')),
    async [Symbol.asyncDispose]() {
      await untilQuiet(0)
      await plane.agents.remove('bench')
      await untilQuiet(0)
    },
  }
}

function sequential(name: string, times: readonly number[], cold: readonly number[]): Figure {
  const value = [50, 95, 99].map((percent) => percentile(times, percent).toFixed(1)).join(' / ')
  return { name, value: `${value} ms`, ratio: median(times) / median(cold) }
}

const lastOf = (bursts: Bursts): number => median(bursts.map((times) => Math.max(...times)))

function burst(name: string, bursts: Bursts, cold: Bursts): Figure {
  const half = median(bursts.map(median))
  const value = `${half.toFixed(1)} / ${lastOf(bursts).toFixed(1)} ms`
  return { name, value, ratio: lastOf(bursts) / lastOf(cold) }
}
