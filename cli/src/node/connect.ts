import { AegisError, type ControlPlane } from '@aegis/core'
import { discoverConfig, findDaemon, homeAt, openNode, readApiToken } from '@aegis/daemon'
import { connectNode } from '@aegis/sdk'

import type { Environment } from '../program/command-context.ts'
import type { Settings } from '../program/settings.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** A node to talk to. Disposing it stops an embedded node, and leaves a daemon alone. */
export interface Connection extends AsyncDisposable {
  readonly controlPlane: ControlPlane
  readonly mode: 'daemon' | 'embedded'
}

export interface ConnectOptions {
  readonly settings: Settings
  readonly env: Environment
  readonly cwd: string
  readonly terminal: Terminal
}

/**
 * The daemon that was asked for with --host or --port; else the one of this AEGIS_HOME; else a node
 * inside this process, working on the same home.
 * @throws AegisError `unavailable` / `daemon.absent`, `daemon.unhealthy` · `conflict` / `home.locked`
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  return (await connectRunning(options)) ?? openEmbedded(options)
}

/**
 * The daemon that was asked for, or the one of this AEGIS_HOME; undefined where none runs.
 * @throws AegisError `unavailable` / `daemon.absent`, `daemon.unhealthy`
 */
export async function connectRunning(options: ConnectOptions): Promise<Connection | undefined> {
  const { home, isTargetExplicit, host, port } = options.settings
  const daemon = await findDaemon(home)
  if (isTargetExplicit) {
    const url = `http://${bracketed(host ?? '127.0.0.1')}:${port ?? 8000}`
    // The daemon of this home is known better: it may serve over TLS.
    if (daemon.state === 'running' && isSameTarget(daemon.url, url)) {
      return connectDaemon(daemon, home)
    }
    await checkReachable(url)
    return connectDaemon({ url, fetch }, home)
  }
  switch (daemon.state) {
    case 'running':
      return connectDaemon(daemon, home)
    case 'unhealthy':
      throw new AegisError(
        'unavailable',
        'daemon.unhealthy',
        `The daemon (pid ${daemon.pid}) does not answer at ${daemon.url}`,
        { details: { help: 'aegis daemon stop --force, then aegis daemon start' } },
      )
    case 'stopped':
      return undefined
  }
}

/** Connects to a daemon that was found. @throws AegisError where its token cannot be read */
export async function connectDaemon(
  { url, fetch }: { readonly url: string; readonly fetch: typeof globalThis.fetch },
  home: string,
): Promise<Connection> {
  const token = await readApiToken(homeAt(home).token)
  const controlPlane = connectNode({ url, token, fetch })
  return { controlPlane, mode: 'daemon', [Symbol.asyncDispose]: async () => {} }
}

async function openEmbedded({ settings, env, cwd, terminal }: ConnectOptions): Promise<Connection> {
  const { home, configPath } = settings
  const { config } = await discoverConfig({ explicit: configPath, env, cwd, home })
  if (!terminal.json) {
    terminal.note(terminal.noteStyle.dim(`No daemon is running; working on ${home} directly`))
  }
  // Where the log shares the terminal with the answer, it keeps to what went wrong.
  const isLogShared = config.spec.observability.logging.file === undefined
  const logLevel = settings.logLevel ?? (isLogShared ? 'error' : undefined)
  const node = await openNode({ home, config, env, logLevel })
  return {
    controlPlane: node.controlPlane,
    mode: 'embedded',
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}

const reachableWithinMs = 3000

async function checkReachable(url: string): Promise<void> {
  try {
    await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(reachableWithinMs) })
  } catch (cause) {
    throw new AegisError('unavailable', 'daemon.absent', `No daemon answers at ${url}`, {
      cause,
      details: { help: 'start it with aegis daemon start, or leave out --host and --port' },
    })
  }
}

/** Whether two addresses, whatever their protocol, name one port of this machine or of another. */
function isSameTarget(daemonUrl: string, asked: string): boolean {
  const [ours, theirs] = [new URL(daemonUrl), new URL(asked)]
  const names = [ours, theirs].map(({ hostname }) =>
    hostname === 'localhost' || hostname === '0.0.0.0' ? '127.0.0.1' : hostname,
  )
  return portOf(ours) === portOf(theirs) && names[0] === names[1]
}

const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80')

/** An IPv6 address as it stands in a URL. */
const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
