import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { benchAgent, commands } from '../bench-agents.ts'
import { openBenchDaemon } from '../bench-daemon.ts'
import { underBubblewrap } from '../bubblewrap.ts'
import { type Benchmark, type Figure, inTurn, median, ms, timed } from '../measure.ts'
import { untilFirstOutput } from '../run-task.ts'

/**
 * Moving a process into a cgroup, which every boot does once: milliseconds where the kernel waits
 * for an RCU grace period, next to nothing where it was told to favour such moves (favordynmods).
 */
async function joinGroup(): Promise<number> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const root = / (\/\S*cgroup\S*) \S+ .*- cgroup2? /.exec(mounts)?.[1]
  const group = join(root ?? '/sys/fs/cgroup', `aegis-bench-${process.pid}`)
  const times: number[] = []
  for (let round = 0; round < 10; round++) {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' })
    mkdirSync(group, { recursive: true })
    // The kernel remembers a move for a moment, and the next one is then quick in any case.
    await delay(100)
    times.push(await timed(async () => writeFileSync(join(group, 'cgroup.procs'), `${child.pid}`)))
    child.kill()
    await once(child, 'exit')
    rmdirSync(group)
  }
  return median(times)
}

export const benchmark: Benchmark = {
  title: 'Task round trip on the process runtime',
  about:
    'HTTP call to the first output seen on the event stream (queued durably, sandbox booted, output durable) over the same command under raw bubblewrap.',
  async run() {
    // With a pool, its second execution would make an agent a warm one.
    await using daemon = await openBenchDaemon({ warm_pool: { enabled: false } })
    const { plane } = daemon
    const figures: Figure[] = []
    for (const [index, work] of commands.entries()) {
      const agent = `bench-${index}`
      await plane.agents.deploy(benchAgent(agent, work, { isolation: 'process' }))
      const { subjectMs, baselineMs, ratio } = await inTurn(
        30,
        () => untilFirstOutput(plane, agent),
        () => underBubblewrap(work.argv),
      )
      figures.push({
        name: `${work.name}: task`,
        value: ms(subjectMs),
        ratio,
        goal: '≤ 1.5',
        met: ratio <= 1.5,
      })
      figures.push({ name: `${work.name}: raw bubblewrap`, value: ms(baselineMs) })
    }
    const joining = await joinGroup().catch(() => undefined)
    if (joining !== undefined) {
      figures.push({ name: 'kernel: one process joins a cgroup', value: ms(joining) })
    }
    return figures
  },
}
