import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type AgentManifest, defaultNodeConfig } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { openNode, readApiToken } from '@aegis/daemon'
import { type ControlPlane, connectNode } from '@aegis/sdk'
import { type Benchmark, type Figure, inTurn, median, ms, timed } from '../measure.ts'

const forever = new AbortController().signal

/** What an agent written in a script language costs at least, and what costs nearly nothing. */
const commands: readonly { readonly name: string; readonly argv: [string, ...string[]] }[] = [
  { name: 'node -e', argv: [process.execPath, '-e', 'console.log(1)'] },
  { name: 'python3 -c', argv: ['/usr/bin/python3', '-c', 'print(1)'] },
  { name: '/bin/echo', argv: ['/bin/echo', '1'] },
]

/** From the call of the API to the first thing the agent prints, as a client sees it. */
async function untilFirstOutput(plane: ControlPlane, agent: string): Promise<void> {
  const id = await plane.executions.execute(agent, '')
  for await (const { event } of plane.executions.events(id, { follow: true }, forever)) {
    if (event.type === 'execution.console') break
  }
}

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

/** From the start of bubblewrap to the first thing the command prints. */
async function underBubblewrap(argv: readonly string[]): Promise<void> {
  const isolation = ['--unshare-all', '--cap-drop', 'ALL', '--new-session', '--die-with-parent']
  const system = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp']
  const child = spawn('bwrap', [...isolation, ...system, '--', ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  await ended
}

const agentFor = (name: string, argv: [string, ...string[]]): AgentManifest => {
  const [program, ...rest] = argv
  // Inside, the Node that runs AEGIS is simply `node`.
  const command: [string, ...string[]] = [program === process.execPath ? 'node' : program, ...rest]
  return aManifest(name, { task: { command }, resources: { memory: '256Mi', cpu: 1000 } })
}

export const benchmark: Benchmark = {
  title: 'Task round trip on the process runtime',
  about:
    'HTTP call to the first output seen on the event stream (queued durably, sandbox booted, output durable) over the same command under raw bubblewrap.',
  async run() {
    const home = mkdtempSync(join(tmpdir(), 'aegis-bench-'))
    try {
      const config = defaultNodeConfig({ hostName: 'bench', nodeId: 'bench' })
      const options = { home, config, env: { ...process.env }, logLevel: 'error' }
      await using node = await openNode({ ...options, serve: { port: 0 } })
      if (node.url === undefined) throw new Error('The node does not serve')
      const token = await readApiToken(node.tokenPath)
      const plane = connectNode({ url: node.url, token })
      const figures: Figure[] = []
      for (const [index, { name, argv }] of commands.entries()) {
        await plane.agents.deploy(agentFor(`bench-${index}`, argv))
        const { subjectMs, baselineMs, ratio } = await inTurn(
          30,
          () => untilFirstOutput(plane, `bench-${index}`),
          () => underBubblewrap(argv),
        )
        figures.push({
          name: `${name}: task`,
          value: ms(subjectMs),
          ratio,
          goal: '≤ 1.5',
          met: ratio <= 1.5,
        })
        figures.push({ name: `${name}: raw bubblewrap`, value: ms(baselineMs) })
      }
      const joining = await joinGroup().catch(() => undefined)
      if (joining !== undefined) {
        figures.push({ name: 'kernel: one process joins a cgroup', value: ms(joining) })
      }
      return figures
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  },
}
