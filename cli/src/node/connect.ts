import { AegisError, type ControlPlane, Secret } from '@aegis/core'
import { discoverConfig, findDaemon, homeAt, openNode, readApiToken } from '@aegis/daemon'
import { connectNode } from '@aegis/sdk'

import type { Environment } from '../program/command-context.ts'
import { isUrl, type Settings } from '../program/settings.ts'
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
  const running = await connectRunning(options)
  if (running !== undefined) return running
  if (options.settings.token === undefined) return openEmbedded(options)
  // Working on the home would permit all, whatever the token does.
  throw new AegisError(
    'unavailable',
    'daemon.absent',
    'A token was given, and no daemon runs that knows what it permits',
    {
      details: {
        help: 'start it with aegis daemon start, name another one with --host, or leave the token out (AEGIS_TOKEN)',
      },
    },
  )
}

/**
 * The daemon that was asked for, or the one of this AEGIS_HOME; undefined where none runs.
 * @throws AegisError `unavailable` / `daemon.absent`, `daemon.unhealthy` · `invalid` / `token.needed`
 */
export async function connectRunning(options: ConnectOptions): Promise<Connection | undefined> {
  const { settings, terminal } = options
  const { home, isTargetExplicit } = settings
  const daemon = await findDaemon(home)
  if (isTargetExplicit) {
    const url = targetUrl(settings)
    // The daemon of this home is known better: it may serve over TLS.
    if (daemon.state === 'running' && isSameTarget(daemon.url, url)) {
      return connectDaemon(daemon, settings)
    }
    guardToken(url, settings, terminal)
    await checkReachable(url)
    return connectDaemon({ url, fetch }, settings)
  }
  switch (daemon.state) {
    case 'running':
      return connectDaemon(daemon, settings)
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

/**
 * Connects to a daemon that was found, with the token that was given, or with that of the home.
 * @throws AegisError where that cannot be read
 */
export async function connectDaemon(
  { url, fetch }: { readonly url: string; readonly fetch: typeof globalThis.fetch },
  { home, token: given }: Pick<Settings, 'home' | 'token'>,
): Promise<Connection> {
  const token = given === undefined ? await readApiToken(homeAt(home).token) : new Secret(given)
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

/** Where the daemon that was asked for answers. @throws AegisError `invalid` / `daemon.address` */
export function targetUrl({ host = '127.0.0.1', port }: Pick<Settings, 'host' | 'port'>): string {
  if (!isUrl(host)) return `http://${bracketed(host)}:${port ?? 8000}`
  const url = URL.parse(host)
  if (url === null || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new AegisError(
      'invalid',
      'daemon.address',
      `${host} is not the URL of a daemon. Write it like https://aegis.example:8000`,
    )
  }
  if (port !== undefined) url.port = String(port)
  return url.href.replace(/\/+$/, '')
}

/**
 * Keeps the owner's token from strangers: it opens everything here, and nothing there.
 * @throws AegisError `invalid` / `token.needed`
 */
function guardToken(url: string, { token }: Settings, terminal: Terminal): void {
  const { hostname, protocol } = new URL(url)
  if (isLoopback(hostname)) return
  if (token === undefined) {
    throw new AegisError(
      'invalid',
      'token.needed',
      `${url} is not the node of this AEGIS_HOME, so the token of that is not sent there`,
      { details: { help: 'give one of that node with AEGIS_TOKEN or --token' } },
    )
  }
  if (protocol === 'http:' && !terminal.json) {
    const { noteStyle: style } = terminal
    terminal.note(`${style.warning('warning:')} the token travels to ${url} without TLS`)
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

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
