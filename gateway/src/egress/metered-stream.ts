import { Duplex } from 'node:stream'
import type { Connection } from './connection.ts'

/**
 * The bytes of a connection as a stream that anybody may read and write: each chunk is accounted for
 * first. It is no Socket, so that TLS on top of it cannot go round it.
 */
export class MeteredStream extends Duplex {
  readonly #connection: Connection
  #waiting: NodeJS.Timeout | undefined
  #wanted = false

  constructor(connection: Connection) {
    super({
      allowHalfOpen: true,
      readableHighWaterMark: 64 * 1024,
      writableHighWaterMark: 64 * 1024,
    })
    this.#connection = connection
    const { socket } = connection
    // Read from the start, if only a little: the end of a connection is noticed by reading it.
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.once('end', () => this.push(null))
    // Never with an error: a consumer that forgot a listener must not end the daemon.
    socket.once('close', () => this.destroy())
  }

  #receive(chunk: Buffer): void {
    const waitMs = this.#connection.pass('in', chunk.length)
    if (waitMs === undefined) return void this.destroy()
    if (waitMs > 0) this.#wait(waitMs)
    this.#wanted = this.push(chunk)
    if (!this.#wanted || this.#waiting !== undefined) this.#connection.socket.pause()
  }

  /** Nothing is read before the time is up. */
  #wait(ms: number): void {
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined
      if (this.#wanted) this.#connection.socket.resume()
    }, ms)
  }

  override _read(): void {
    this.#wanted = true
    if (this.#waiting === undefined) this.#connection.socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const waitMs = this.#connection.pass('out', chunk.length)
    if (waitMs === undefined) {
      this.destroy()
      done()
      return
    }
    const { socket } = this.#connection
    const next = waitMs > 0 ? () => void setTimeout(done, waitMs) : done
    if (socket.write(chunk)) next()
    else socket.once('drain', next)
  }

  override _final(done: () => void): void {
    this.#connection.socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#waiting)
    this.#connection.socket.destroy()
    done(error)
  }
}
