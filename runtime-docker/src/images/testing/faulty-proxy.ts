import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between an engine and a registry, and fails as networks do. */
export interface FaultyProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`, to be used in the place of the registry's. */
  readonly address: string
  /** Connections that were cut so far. */
  readonly cuts: number
  /** Connections that are open. */
  readonly open: number
  /** Connections so far that stalled. */
  readonly stalls: number
  /** Cuts each connection when the registry has sent more than so many bytes on it. */
  cutAfter(bytes: number): void
  /** Passes on no more than so many bytes of a connection, and keeps it open. */
  stallAfter(bytes: number): void
  /** Resolves when a connection stalled. */
  stalling(): Promise<void>
  /** Resolves when no connection is open. */
  idle(): Promise<void>
}

export async function openFaultyProxy(target: string): Promise<FaultyProxy> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let limitBytes = Number.POSITIVE_INFINITY
  let keepsOpen = false
  let cuts = 0
  let stalls = 0

  const server = createServer((client) => {
    const upstream = connect(Number(port), host)
    let passed = 0
    const close = (): void => {
      client.destroy()
      upstream.destroy()
      sockets.delete(client)
      server.emit('change')
    }
    sockets.add(client)
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      const before = passed
      passed += chunk.length
      if (passed <= limitBytes) {
        client.write(chunk)
        return
      }
      if (!keepsOpen) {
        cuts++
        close()
      } else if (before <= limitBytes) {
        stalls++
        server.emit('change')
      }
    })
    for (const socket of [client, upstream]) socket.on('error', close).on('close', close)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: ownPort } = server.address() as AddressInfo

  return {
    address: `127.0.0.1:${ownPort}`,
    get cuts() {
      return cuts
    },
    get open() {
      return sockets.size
    },
    get stalls() {
      return stalls
    },
    cutAfter(bytes) {
      limitBytes = bytes
      keepsOpen = false
    },
    stallAfter(bytes) {
      limitBytes = bytes
      keepsOpen = true
    },
    async stalling() {
      while (stalls === 0) await once(server, 'change')
    },
    async idle() {
      while (sockets.size > 0) await once(server, 'change')
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
