import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchHome, openBenchHome } from '../bench-daemon.ts'
import { type Benchmark, type Figure, median, ms, takeTurns } from '../measure.ts'

export const benchmark: Benchmark = {
  title: 'Start-up of the daemon, whatever its engine does',
  about:
    'Start of the process to the first answer of its API, on a home that was used before: with an engine that is not there, and with one that takes connections and never answers, over a node without containers.',
  async run() {
    await using resources = new AsyncDisposableStack()
    const directory = await mkdtemp(join(tmpdir(), 'aegis-bench-'))
    resources.defer(() => rm(directory, { recursive: true, force: true }))
    const silent = resources.use(createServer().listen(join(directory, 'silent')))
    await once(silent, 'listening')

    const open = async (runtime: object) => resources.use(await openBenchHome(runtime))
    const engineAt = (name: string) => open({ docker_socket_path: join(directory, name) })
    const homes = [
      await open({ isolations: ['process'] }),
      await engineAt('absent'),
      await engineAt('silent'),
    ]
    const [without = [], absent = [], mute = []] = await startInTurn(homes)
    const against = (name: string, times: readonly number[]): Figure => {
      const ratio = median(times) / median(without)
      return { name, value: ms(median(times)), ratio, goal: '≤ 1.1', met: ratio <= 1.1 }
    }
    return [
      against('no engine at the socket', absent),
      against('an engine that never answers', mute),
      { name: 'no containers', value: ms(median(without)) },
    ]
  },
}

/** Milliseconds of each start of each; its end is not measured. */
async function startInTurn(homes: readonly BenchHome[]): Promise<readonly (readonly number[])[]> {
  const running: AsyncDisposable[] = []
  const stop = async () => running.pop()?.[Symbol.asyncDispose]()
  const starts = homes.map((home) => async () => running.push(await home.start()))
  const times = await takeTurns(10, starts, stop)
  await stop()
  return times
}
