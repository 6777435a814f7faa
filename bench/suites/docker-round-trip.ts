import { whyNoEngine } from '@aegis/tests/engine/requirements.ts'
import { openTestEngine, type TestEngine } from '@aegis/tests/engine/test-engine.ts'
import { benchAgent, bootstraps, commands, prompt, type Work } from '../bench-agents.ts'
import { type BenchDaemon, openBenchDaemon } from '../bench-daemon.ts'
import { bootPhases } from '../boot-phases.ts'
import { dockerRun, engineRuntime } from '../docker-engine.ts'
import { type Benchmark, type Figure, median, ms, takeTurns } from '../measure.ts'
import { untilEnd } from '../run-task.ts'

export const benchmark: Benchmark = {
  title: 'Task round trip on the Docker runtime, cold and warm',
  about:
    'HTTP call to the last event of an execution, over `docker run --rm --network none` of the same image and command. Agents that ask the model are held against their interpreter alone, which there prints a word and asks nobody.',
  async run() {
    const why = whyNoEngine()
    if (why !== undefined) return [{ name: 'not measured', value: why }]
    await using engine = await openTestEngine()
    const images = { python: await engine.image('python'), javascript: await engine.image('node') }
    const runtime = engineRuntime(engine)
    await using cold = await openBenchDaemon({ ...runtime, warm_pool: { enabled: false } })
    await using warm = await openBenchDaemon(runtime)
    const figures: Figure[] = []
    const works: readonly Work[] = [...bootstraps, ...commands]
    for (const work of works) {
      const baseline = () =>
        dockerRun(engine, images[work.language], work.argv ?? alone[work.language])
      figures.push(...(await measure({ cold, warm, baseline, work })))
    }
    return [...figures, ...(await bootPhasesOf(engine, images.python))]
  },
}

/** What a bootstrap script costs at least. */
const alone = {
  python: ['python3', '-c', 'print(1)'],
  javascript: ['node', '-e', 'console.log(1)'],
} as const

interface Contest {
  readonly cold: BenchDaemon
  readonly warm: BenchDaemon
  readonly baseline: () => Promise<void>
  readonly work: Work
}

async function measure({ cold, warm, baseline, work }: Contest): Promise<readonly Figure[]> {
  const daemons = [
    { daemon: cold, floor: 0 },
    { daemon: warm, floor: 1 },
  ]
  for (const { daemon, floor } of daemons) {
    const manifest = benchAgent('bench', work, { isolation: 'docker', warm: floor })
    await daemon.plane.agents.deploy(manifest)
  }
  const times = await takeTurns(
    8,
    [
      ...daemons.map(
        ({ daemon }) =>
          () =>
            untilEnd(daemon.plane, 'bench', prompt),
      ),
      baseline,
    ],
    () => Promise.all(daemons.map(({ daemon, floor }) => daemon.untilQuiet(floor))),
  )
  for (const { daemon } of daemons) await daemon.plane.agents.remove('bench')
  const [coldMs = 0, warmMs = 0, baselineMs = 0] = times.map(median)
  const figure = (state: string, value: number, limit: number): Figure => {
    const ratio = value / baselineMs
    const name = `${work.name}: ${state}`
    return { name, value: ms(value), ratio, goal: `≤ ${limit}`, met: ratio <= limit }
  }
  return [
    figure('cold', coldMs, 1.2),
    figure('warm', warmMs, 0.05),
    { name: `${work.name}: docker run`, value: ms(baselineMs) },
  ]
}

async function bootPhasesOf(engine: TestEngine, image: string): Promise<readonly Figure[]> {
  const phases = await bootPhases(engine, image)
  return phases.map(({ name, medianMs }) => ({ name: `a boot: ${name}`, value: ms(medianMs) }))
}
