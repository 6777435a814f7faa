import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findDaemon, homeAt, readApiToken } from '@aegis/daemon'
import { type ControlPlane, connectNode } from '@aegis/sdk'

/** A daemon in a process of its own, as its users have it, and a client of it. */
export interface BenchDaemon extends AsyncDisposable {
  readonly plane: ControlPlane
  /** Waits until that many sandboxes or more wait for a task, nothing else goes on, and they have settled. */
  untilQuiet(warm: number): Promise<void>
}

/** A home and a config, on which daemons start one after the other. */
export interface BenchHome extends AsyncDisposable {
  /** Resolves as soon as the daemon answers. */
  start(): Promise<BenchDaemon>
}

const entry = fileURLToPath(new URL('../cli/bin/aegis.js', import.meta.url))

/** A sandbox is called warm when its program was started, which then still loads what it needs. */
const settleMs = 250
const quietTimeoutMs = 120_000

/** `runtime` and `security` go into the config as they are. */
export async function openBenchHome(runtime: object, security: object = {}): Promise<BenchHome> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-bench-'))
  const configPath = join(home, 'config.yaml')
  const config = { node: { id: 'bench', type: 'edge' }, runtime, security }
  await writeFile(configPath, JSON.stringify(config))
  return {
    start: () => startDaemon(home, configPath),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  }
}

/** A daemon on a home of its own, which goes with it. */
export async function openBenchDaemon(runtime: object, security?: object): Promise<BenchDaemon> {
  await using undo = new AsyncDisposableStack()
  const home = undo.use(await openBenchHome(runtime, security))
  const daemon = undo.use(await home.start())
  const resources = undo.move()
  return { ...daemon, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

async function startDaemon(home: string, configPath: string): Promise<BenchDaemon> {
  const child = spawn(
    process.execPath,
    [entry, '--daemon', '--port', '0', '--home', home, '--config', configPath],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, AEGIS_LOG_LEVEL: 'error' } },
  )
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill()
    await ended
  }
  try {
    const url = await addressOf(home, () => child.exitCode !== null)
    const plane = connectNode({ url, token: await readApiToken(homeAt(home).token) })
    return { plane, untilQuiet: (warm) => untilQuiet(plane, warm), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function addressOf(home: string, ended: () => boolean): Promise<string> {
  while (!ended()) {
    const daemon = await findDaemon(home)
    if (daemon.state === 'running') return daemon.url
    await delay(2)
  }
  throw new Error('The daemon ended before it was ready')
}

async function untilQuiet({ node }: ControlPlane, warm: number): Promise<void> {
  const deadlineMs = performance.now() + quietTimeoutMs
  for (;;) {
    const { sandboxes } = await node.status()
    if (sandboxes.warm >= warm && sandboxes.cold + sandboxes.hot === 0) break
    if (performance.now() > deadlineMs) {
      throw new Error(`${warm} sandboxes should wait; there are ${JSON.stringify(sandboxes)}`)
    }
    await delay(10)
  }
  if (warm > 0) await delay(settleMs)
}
