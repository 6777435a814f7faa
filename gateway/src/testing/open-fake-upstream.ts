import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

/** What a fake provider was asked. */
export interface Asked {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Record<string, unknown>
  /** Resolves when the gateway has hung up or has the whole answer. */
  readonly closed: Promise<unknown>
}

export interface FakeUpstream extends AsyncDisposable {
  readonly url: string
  readonly asked: Asked[]
  /** Connections so far. */
  connections(): number
}

/** A provider on the loopback that answers as the test says. */
export async function openFakeUpstream(
  answer: (asked: Asked, response: ServerResponse) => void | Promise<void>,
): Promise<FakeUpstream> {
  const asked: Asked[] = []
  let connections = 0
  const server = createServer(async (incoming, response) => {
    const request = {
      path: incoming.url ?? '',
      headers: incoming.headers,
      body: JSON.parse((await text(incoming)) || '{}'),
      closed: once(response, 'close'),
    }
    asked.push(request)
    await answer(request, response)
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export function sendFakeJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Sends each piece by itself; a piece that is no string is sent as an event with its JSON. */
export function sendFakeEvents(response: ServerResponse, pieces: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const piece of pieces) {
    response.write(typeof piece === 'string' ? piece : `data: ${JSON.stringify(piece)}\n\n`)
  }
  response.end()
}
