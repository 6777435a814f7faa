import type { Duplex } from 'node:stream'
import { AegisError } from '@aegis/core'
import type { Connection } from './connection.ts'
import type { OutgoingWatch } from './outgoing-watch.ts'
import { type Passage, pump } from './pump.ts'

/** Passes bytes on between a client and its connection; they live and die together. */
export interface Relay {
  /** Begins to pass on what the client says; what the server says passes from the start. */
  sendOn(watch: OutgoingWatch): void
  /** Whether the server has said anything. */
  readonly heard: boolean
  /** Ends the connection and lets the client live, for somebody else to serve. */
  part(cause: string): void
}

export interface RelayOptions {
  /** How long a client may take to read what is left for it once the connection is over. */
  readonly lingerMs: number
  /** Hears why a watch stopped what the client sent. */
  readonly onRefusal: (refusal: AegisError) => void
}

export function openRelay(
  client: Duplex,
  connection: Connection,
  { lingerMs, onRefusal }: RelayOptions,
): Relay {
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
  const incoming: Passage = {
    admit(chunk) {
      heard = true
      return chunk
    },
    end: () => undefined,
    pass: (bytes) => connection.pass('in', bytes),
  }
  pump(socket, client, incoming, connection)
  if (client.destroyed) connection.end()

  function unlessRefused(look: () => Buffer): Buffer | undefined {
    try {
      return look()
    } catch (error) {
      if (!(error instanceof AegisError)) throw error
      connection.end({ cause: error.code })
      onRefusal(error)
      return undefined
    }
  }

  return {
    sendOn(watch) {
      pump(client, socket, {
        admit: (chunk) => unlessRefused(() => watch.pass(chunk)),
        end: () => unlessRefused(() => watch.end()),
        pass: (bytes) => connection.pass('out', bytes),
      })
    },
    get heard() {
      return heard
    },
    part(cause) {
      parted = true
      connection.end({ cause })
    },
  }
}
