import { AegisError, proxyPort, type SandboxNetwork } from '@aegis/core'
import { ipv4Number, ipv4Text, isHostName } from './wire/addresses.ts'
import { LISTENERS_MAX, NAMES_MAX, POOL_MAX, SUFFIXES_MAX } from './wire/limits.ts'
import type { GuestListener, GuestName, GuestPool } from './wire/messages.ts'

/** Addresses that mean nothing but a name of one sandbox, to be handed out in order. */
export interface SyntheticRange {
  readonly first: string
  readonly count: number
}

/** A network as the guest is configured with it. */
export interface GuestNetwork {
  readonly listeners: readonly GuestListener[]
  readonly names: readonly GuestName[]
  readonly pool: GuestPool
}

export const agentApiListener: GuestListener = {
  target: 'agent-api',
  address: '127.0.0.1',
  port: 8000,
}

const proxyListener: GuestListener = { target: 'proxy', address: '127.0.0.1', port: proxyPort }

/**
 * Gives each name an address of its own, and what is left to names below the suffixes. `own` are
 * names with an address that is not out of the range, and come before others of the same name.
 */
export function guestNetwork(
  network: SandboxNetwork | undefined,
  range: SyntheticRange,
  own: readonly GuestName[] = [],
): GuestNetwork {
  const { names, suffixes, ports, proxy } = network ?? nothing
  const taken = new Set(own.map(({ name }) => name))
  const wanted = [...new Set(names)].filter((name) => !taken.has(name))
  if (wanted.length > range.count) throw new RangeError('More names than addresses')
  const first = ipv4Number(range.first)
  return {
    listeners: [
      agentApiListener,
      ...(proxy ? [proxyListener] : []),
      ...[...new Set(ports)].map(
        (port): GuestListener => ({ target: 'tcp', address: '0.0.0.0', port }),
      ),
    ],
    names: [...own, ...wanted.map((name, index) => ({ name, address: ipv4Text(first + index) }))],
    pool: {
      suffixes: [...new Set(suffixes)],
      first: ipv4Text(first + wanted.length),
      size: suffixes.length > 0 ? Math.min(range.count - wanted.length, POOL_MAX) : 0,
    },
  }
}

const nothing: SandboxNetwork = { names: [], suffixes: [], ports: [], proxy: false }

/** What a guest can hold, beside what it has of its own: the agent API, the proxy, a few names. */
const most = { names: NAMES_MAX - 24, suffixes: SUFFIXES_MAX, ports: LISTENERS_MAX - 2 }

/** @throws AegisError `invalid` / `sandbox.network` */
export function checkNetwork({ names, suffixes, ports }: SandboxNetwork): void {
  for (const name of [...names, ...suffixes])
    if (!isHostName(name))
      throw invalid(`'${name}' is no name in lower case, without a dot at its end`)
  for (const port of ports)
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalid(`${port} is no port; ports are whole numbers from 1 to 65535`)
  const counts = { names, suffixes, ports }
  for (const kind of ['names', 'suffixes', 'ports'] as const)
    if (counts[kind].length > most[kind])
      throw invalid(`it has ${counts[kind].length} ${kind}; at most ${most[kind]} fit`)
}

const invalid = (why: string): AegisError =>
  new AegisError('invalid', 'sandbox.network', `The network of the sandbox cannot be: ${why}`)
