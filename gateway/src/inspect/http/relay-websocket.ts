import type { IncomingMessage } from 'node:http'
import type { Duplex, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { PlaceholderScanner } from '../placeholder-scanner.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { endToEnd } from './header-list.ts'
import { watchFrames } from './websocket-frames.ts'

/** One end of a websocket, and what was read of it already. */
export interface WebsocketEnd {
  readonly stream: Duplex
  readonly head: Buffer
}

export interface RelayOptions {
  readonly response: IncomingMessage
  readonly client: WebsocketEnd
  readonly server: WebsocketEnd
  /** Absent for an execution without secrets, whose frames are not read. */
  readonly guards?:
    | { readonly scanner: PlaceholderScanner; readonly redactor: Redactor }
    | undefined
}

/**
 * Passes the answer to a handshake on, then frames both ways until one end closes.
 * @throws what a guard stops frames with
 */
export async function relayWebsocket(options: RelayOptions): Promise<void> {
  const { response, client, server, guards } = options
  const { rawHeaders } = response
  const clean = (text: string) => guards?.redactor.redact(text) ?? text
  const headers = endToEnd(
    Array.from({ length: rawHeaders.length / 2 }, (_, at) => [
      clean(rawHeaders[2 * at] ?? ''),
      clean(rawHeaders[2 * at + 1] ?? ''),
    ]),
  )
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  client.stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`,
    'latin1',
  )
  if (client.head.length > 0) client.stream.unshift(client.head)
  if (server.head.length > 0) server.stream.unshift(server.head)
  // Both pipelines watch both ends, beside those that served the handshake.
  for (const { stream } of [client, server]) stream.setMaxListeners(32)
  const up = guards && watchFrames(guards.scanner.guard(), guards.scanner.guard())
  const down = guards && watchFrames(guards.redactor.guard(), guards.redactor.guard())
  await Promise.all([
    through(client.stream, up, server.stream),
    through(server.stream, down, client.stream),
  ])
}

const through = (from: Duplex, watch: Transform | undefined, to: Duplex): Promise<void> =>
  watch === undefined ? pipeline(from, to) : pipeline(from, watch, to)
