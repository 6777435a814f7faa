import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { callEngine } from './engine-api.ts'
import { engineGroup, engineProcesses } from './remove-engine.ts'
import { programPath } from './requirements.ts'

const readyMs = 30_000

export interface EngineProcess {
  readonly pid: number
  /** As a power cut does it: the engine has no time for anything. Resolves once it has ended. */
  kill(): Promise<void>
}

/** The path of an engine's socket, short enough for every client. */
export const engineSocket = (directory: string): string => join(directory, 'sock')

/** Starts dockerd in its directory, on what is there. Resolves once it answers. */
export async function startEngine(
  directory: string,
  flags: readonly string[],
): Promise<EngineProcess> {
  const socketPath = engineSocket(directory)
  const pidPath = join(directory, 'pid')
  const configPath = join(directory, 'daemon.json')
  await writeFile(configPath, JSON.stringify({ runtimes: await gvisorRuntimes() }))
  await using log = await open(join(directory, 'log'), 'a')
  const child = spawn(
    programPath('dockerd') ?? 'dockerd',
    [
      `--config-file=${configPath}`,
      `--host=unix://${socketPath}`,
      `--data-root=${join(directory, 'data')}`,
      `--exec-root=${join(directory, 'run')}`,
      `--pidfile=${pidPath}`,
      `--cgroup-parent=/${engineGroup(directory)}`,
      '--exec-opt=native.cgroupdriver=cgroupfs',
      '--bridge=none',
      '--iptables=false',
      '--ip6tables=false',
      '--ip-masq=false',
      '--userland-proxy=false',
      ...flags,
    ],
    // Of its own session, so that Ctrl-C in a terminal ends the tests first. Without the user's
    // proxies, which must not come between the engine and a registry on the loopback.
    {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  )
  child.unref()
  await untilItAnswers(child, socketPath).catch(async (cause) => {
    child.kill('SIGKILL')
    const words = (await readFile(join(directory, 'log'), 'utf8')).trim().split('\n').slice(-5)
    throw new Error(`The Docker engine did not start. Its last words:\n${words.join('\n')}`, {
      cause,
    })
  })
  return {
    pid: child.pid ?? 0,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.ref()
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await endContainerd(directory)
      // An engine does not start while anything, be it a zombie, has the process id of the last.
      await rm(pidPath, { force: true })
    },
  }
}

/** The kernel kills it with its engine. That it has died must be known before the next one starts. */
async function endContainerd(directory: string): Promise<void> {
  const pidPath = join(directory, 'run/containerd/containerd.pid')
  const pid = Number(await readFile(pidPath, 'utf8').catch(() => 0))
  while (pid > 0 && (await engineProcesses(directory)).includes(pid)) await delay(10)
  await rm(pidPath, { force: true })
}

async function untilItAnswers(child: ChildProcess, socketPath: string): Promise<void> {
  let ended: unknown
  child.once('error', (error) => (ended = error))
  child.once('exit', (code, signal) => (ended = new Error(`dockerd: ${code ?? signal}`)))
  const deadline = Date.now() + readyMs
  for (;;) {
    if (ended) throw ended
    try {
      await callEngine(socketPath, 'GET', '/_ping')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(10)
    }
  }
}

/**
 * gVisor as an OCI runtime. It has no network of its own to offer here, and may not use the host's;
 * ptrace is the platform that needs nothing of the processor and that Debian's version knows.
 */
async function gvisorRuntimes(): Promise<object> {
  const path = programPath('runsc')
  return path ? { runsc: { path, runtimeArgs: ['--network=none', '--platform=ptrace'] } } : {}
}
