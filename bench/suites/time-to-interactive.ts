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
}

const kinds: readonly Kind[] = [
  { name: 'process', isolation: 'process', whyNot: () => undefined, runs: 50 },
  { name: 'docker/runc', isolation: 'docker', whyNot: whyNoEngine, runs: 50 },
  { name: 'docker/runsc', isolation: 'docker', sandbox: 'gvisor', whyNot: whyNoGvisor, runs: 15 },
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
    'HTTP call to the answer of `node -v` seen on the event stream, one after the other (p50 / p95 / p99) and twenty at once (median of them / the last), on sandboxes that boot, that wait, and of which five wait. The ratio is that of p50, or of the last one, to the cold one.',
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
  const cold = await agentOf(kind, coldDaemon, 0)
  const coldEach = await cold.sequence(kind.runs)
  const coldBurst = await cold.burst()
  await cold.remove()

  const warm = await agentOf(kind, warmDaemon, 1)
  const warmEach = await warm.sequence(kind.runs)
  await warm.remove()
  const waiting = await agentOf(kind, warmDaemon, atOnce)
  const warmBurst = await waiting.burst()
  await waiting.remove()
  const few = await agentOf(kind, warmDaemon, 5)
  const exhausted = await few.burst()
  await few.remove()

  const name = (what: string) => `${kind.name}: ${what}`
  return [
    sequential(name(`cold, n = ${kind.runs}`), coldEach, coldEach),
    sequential(name(`warm, n = ${kind.runs}`), warmEach, coldEach),
    burst(name(`${atOnce} at once, cold`), coldBurst, coldBurst),
    burst(name(`${atOnce} at once, all warm`), warmBurst, coldBurst),
    burst(name(`${atOnce} at once, 5 of them warm`), exhausted, coldBurst),
  ]
}

/** Deploys the agent with so many sandboxes that wait. */
async function agentOf(kind: Kind, { plane, untilQuiet }: BenchDaemon, warm: number) {
  const name = `bench-${kind.name.replace('/', '-')}`
  await plane.agents.deploy(benchAgent(name, work, { ...kind, warm }))
  const once = () => timed(() => untilFirstOutput(plane, name))
  await untilQuiet(warm)
  return {
    /** After one that does not count. */
    async sequence(runs: number): Promise<readonly number[]> {
      const times: number[] = []
      for (let run = 0; run <= runs; run++) {
        await untilQuiet(warm)
        times.push(await once())
      }
      return times.slice(1)
    },
    async burst(): Promise<readonly number[]> {
      await untilQuiet(warm)
      return Promise.all(Array.from({ length: atOnce }, once))
    },
    async remove(): Promise<void> {
      await plane.agents.remove(name)
      await untilQuiet(0)
    },
  }
}

function sequential(name: string, times: readonly number[], cold: readonly number[]): Figure {
  const value = [50, 95, 99].map((percent) => percentile(times, percent).toFixed(1)).join(' / ')
  return { name, value: `${value} ms`, ratio: median(times) / median(cold) }
}

function burst(name: string, times: readonly number[], cold: readonly number[]): Figure {
  const last = Math.max(...times)
  const value = `${median(times).toFixed(1)} / ${last.toFixed(1)} ms`
  return { name, value, ratio: last / Math.max(...cold) }
}
