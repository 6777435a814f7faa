import type { Duplex } from 'node:stream'
import type { Connection } from './connection.ts'
import { pump } from './pump.ts'

/** Passes bytes on between a client and its connection; they live and die together. */
export interface Relay {
  /** Begins to pass on what the client says; what the server says passes from the start. */
  sendOn(): void
  /** Whether the server has said anything. */
  readonly heard: boolean
  /** Ends the connection and lets the client live, for somebody else to serve. */
  part(cause: string): void
}

/** `lingerMs`: how long a client may take to read what is left for it once the connection is over. */
export function openRelay(client: Duplex, connection: Connection, lingerMs: number): Relay {
  const { socket } = connection
  let heard = false
  let parted = false

  socket.once('close', () => {
    if (parted) return
    if (!client.readableEnded || !client.writableEnded) return void client.destroy()
    const timer = setTimeout(() => client.destroy(), lingerMs)
    client.once('close', () => clearTimeout(timer))
  })
  client.once('close', () => {
    if (!client.readableEnded || !client.writableFinished) connection.end()
  })
  pump(socket, client, (bytes) => {
    heard = true
    return connection.pass('in', bytes)
  })
  if (client.destroyed) connection.end()

  return {
    sendOn: () => pump(client, socket, (bytes) => connection.pass('out', bytes)),
    get heard() {
      return heard
    },
    part(cause) {
      parted = true
      connection.end({ cause })
    },
  }
}
