import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { benchAgent, bootstraps, commands, prompt, type Work } from '../bench-agents.ts'
import { type BenchDaemon, openBenchDaemon } from '../bench-daemon.ts'
import { underBubblewrap } from '../bubblewrap.ts'
import { type Benchmark, type Figure, inTurn, ms } from '../measure.ts'
import { untilEnd } from '../run-task.ts'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const scripts = {
  python: ['python3', pathOf('../../sandbox/bootstrap/bootstrap.py')],
  javascript: ['node', pathOf('../../sandbox/bootstrap/bootstrap.mjs')],
} as const

export const benchmark: Benchmark = {
  title: 'Task round trip on the process runtime, warm',
  about:
    'HTTP call to the last event of an execution that found a warm sandbox, over the same program under raw bubblewrap; agents ask the scripted model there, and here a local server that gives the same answer.',
  async run() {
    await using daemon = await openBenchDaemon({})
    const stub = spawn(process.execPath, [pathOf('../agent-api.mjs')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [port] = await once(createInterface(stub.stdout), 'line')
      const figures: Figure[] = []
      for (const work of [...bootstraps, ...commands]) {
        figures.push(...(await measure(daemon, work, `http://127.0.0.1:${port}`)))
      }
      return figures
    } finally {
      stub.kill()
    }
  },
}

async function measure(
  { plane, untilQuiet }: BenchDaemon,
  work: Work,
  agentApi: string,
): Promise<readonly Figure[]> {
  const { argv } = work
  await plane.agents.deploy(benchAgent('bench', work, { isolation: 'process', warm: 1 }))
  const asking = { env: { AEGIS_ORCHESTRATOR_URL: agentApi }, stdin: prompt, network: true }
  const { subjectMs, baselineMs, ratio } = await inTurn(
    15,
    () => untilEnd(plane, 'bench', prompt),
    () => (argv ? underBubblewrap(argv) : underBubblewrap(scripts[work.language], asking)),
    () => untilQuiet(1),
  )
  await plane.agents.remove('bench')
  const met = ratio <= 0.3
  return [
    { name: `${work.name}: task`, value: ms(subjectMs), ratio, goal: '≤ 0.3', met },
    { name: `${work.name}: raw bubblewrap`, value: ms(baselineMs) },
  ]
}
