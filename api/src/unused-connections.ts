import type * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'

/**
 * The connections of a server on which nothing was asked yet, as browsers and HTTP clients open
 * them ahead of time. Node takes them neither for idle nor for busy, so that a server that closes
 * would wait for them.
 */
export interface UnusedConnections {
  destroy(): void
}

/** To be called before the server listens. */
export function trackUnusedConnections(server: http.Server): UnusedConnections {
  const unused = new Set<Socket>()
  server.on(
    server instanceof https.Server ? 'secureConnection' : 'connection',
    (socket: Socket) => {
      unused.add(socket)
      socket.once('close', () => unused.delete(socket))
    },
  )
  server.on('request', ({ socket }) => unused.delete(socket))
  return {
    destroy() {
      for (const socket of unused) socket.destroy()
    },
  }
}
