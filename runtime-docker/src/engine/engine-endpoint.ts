import { AegisError } from '@aegis/core'

/** PEM texts; a client certificate has a key. */
export interface EngineTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Where an engine listens. */
export type EngineEndpoint =
  | { readonly kind: 'unix'; readonly socketPath: string; readonly name: string }
  | {
      readonly kind: 'tcp'
      readonly host: string
      readonly port: number
      /** Absent: everything passes in the clear. */
      readonly tls: EngineTls | undefined
      /** As users write it. */
      readonly name: string
    }

export interface EndpointOptions {
  /** What `DOCKER_CERT_PATH` holds: `ca.pem`, `cert.pem` and `key.pem`. */
  readonly tls?: EngineTls
}

export const defaultSocketPath = '/var/run/docker.sock'

const plainPort = 2375
const tlsPort = 2376

/**
 * Reads what `DOCKER_HOST` or the node config says: the path of a socket, `unix://`, `tcp://`,
 * `http://` or `https://`; undefined is Docker's default socket.
 * @throws AegisError `invalid` / `engine.endpoint` · `unsupported` / `engine.endpoint`
 */
export function parseEngineEndpoint(
  text: string | undefined,
  { tls }: EndpointOptions = {},
): EngineEndpoint {
  const name = text?.trim() || `unix://${defaultSocketPath}`
  if (name.startsWith('/')) return unixEndpoint(name, name)
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(name) ?? []
  switch (scheme) {
    case 'unix':
      return unixEndpoint(rest, name)
    case 'tcp':
    case 'http':
      return tcpEndpoint(rest, name, tls)
    case 'https':
      return tcpEndpoint(rest, name, tls ?? {})
    case 'ssh':
      throw unsupported(
        name,
        'AEGIS does not speak SSH. Forward the socket and name that: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, then unix:///tmp/docker.sock',
      )
    case 'npipe':
      throw unsupported(
        name,
        'named pipes are of Windows. Run AEGIS inside WSL 2, where Docker Desktop offers unix:///var/run/docker.sock',
      )
    default:
      throw malformed(name)
  }
}

function unixEndpoint(socketPath: string, name: string): EngineEndpoint {
  if (!socketPath.startsWith('/') || socketPath.includes('\0')) throw malformed(name)
  return { kind: 'unix', socketPath, name }
}

function tcpEndpoint(rest: string, name: string, tls: EngineTls | undefined): EngineEndpoint {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?\/?$/.exec(rest) ?? []
  const host = bracketed ?? plain
  const port = digits === undefined ? (tls ? tlsPort : plainPort) : Number(digits)
  if (host === undefined || port < 1 || port > 65_535) throw malformed(name)
  return { kind: 'tcp', host, port, tls, name }
}

const malformed = (name: string): AegisError =>
  new AegisError(
    'invalid',
    'engine.endpoint',
    `"${name.slice(0, 200)}" does not name a Docker engine. Write the path of its socket, unix:///var/run/docker.sock, tcp://host:2375 or https://host:2376`,
  )

const unsupported = (name: string, because: string): AegisError =>
  new AegisError(
    'unsupported',
    'engine.endpoint',
    `The engine at ${name.slice(0, 200)} cannot be used: ${because}`,
  )
