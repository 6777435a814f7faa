import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { Server, Socket } from 'node:net'
import { join, normalize } from 'node:path'
import type { Certificates } from './certificates.ts'

export interface WebServer extends AsyncDisposable {
  /** Every request, as `https GET web.aegis.test /hello`. */
  readonly requests: readonly string[]
  /** What came in each: request line, headers and body. */
  readonly received: readonly string[]
  /** Forgets the requests so far. */
  forget(): void
  /** Connections that were accepted, on both ports. */
  readonly connections: number
}

export interface WebServerOptions {
  readonly address: string
  readonly certificates: Pick<Certificates, 'cert' | 'key'>
  /** Served below `/files/`. */
  readonly files?: string
}

/** A site on the ports 80 and 443 of an address. */
export async function openWebServer(options: WebServerOptions): Promise<WebServer> {
  const { address, certificates, files } = options
  const requests: string[] = []
  const received: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const handle = async (scheme: string, incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method = '', url = '', headers } = incoming
    requests.push(`${scheme} ${method} ${headers.host} ${url}`)
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const head = incoming.rawHeaders.join('\n')
    received.push(`${method} ${url}\n${head}\n\n${Buffer.concat(chunks)}`)
    answer(url, incoming, outgoing, files)
  }
  const listen = async (server: Server, port: number): Promise<Server> => {
    server.on('connection', (socket: Socket) => {
      connections++
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.once('close', () => sockets.delete(socket))
    })
    server.listen(port, address)
    await once(server, 'listening')
    return server
  }
  const safely = (scheme: string) => (incoming: IncomingMessage, outgoing: ServerResponse) =>
    void handle(scheme, incoming, outgoing).catch(() => outgoing.destroy())
  const servers = [
    await listen(createPlain(safely('http')), 80),
    await listen(createSecure(certificates, safely('https')), 443),
  ]
  return {
    requests,
    received,
    forget() {
      requests.length = 0
      received.length = 0
    },
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(
        servers.map(async (server) => {
          const closed = once(server, 'close')
          server.close()
          await closed
        }),
      )
    },
  }
}

/** `/hello`, `/echo` (what arrived), `/redirect?to`, `/bytes?n`, `/files/…`. */
function answer(
  url: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  files: string | undefined,
): void {
  const { pathname, searchParams } = new URL(url, 'http://world')
  if (pathname === '/hello') outgoing.end(`hello from ${incoming.headers.host}`)
  else if (pathname === '/echo') outgoing.end(JSON.stringify({ url, headers: incoming.headers }))
  else if (pathname === '/redirect') {
    outgoing.writeHead(302, { location: searchParams.get('to') ?? '/' }).end()
  } else if (pathname === '/bytes') sendBytes(outgoing, Number(searchParams.get('n')))
  else if (pathname.startsWith('/files/') && files !== undefined) {
    const path = join(files, normalize(pathname.slice('/files'.length)))
    createReadStream(path)
      .on('error', () => outgoing.writeHead(404).end())
      .pipe(outgoing)
  } else outgoing.writeHead(404).end()
}

function sendBytes(outgoing: ServerResponse, bytes: number): void {
  outgoing.writeHead(200, { 'content-length': bytes })
  const block = Buffer.alloc(1 << 16, 'x')
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const chunk = block.subarray(0, Math.min(left, block.length))
      left -= chunk.length
      if (!outgoing.write(chunk)) {
        outgoing.once('drain', more)
        return
      }
    }
    outgoing.end()
  }
  more()
}
