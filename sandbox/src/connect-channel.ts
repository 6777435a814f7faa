import { Duplex } from 'node:stream'
import { type Frame, FrameType, ProtocolViolation } from './wire/frame.ts'
import { WINDOW_CONNECTION_BYTES } from './wire/limits.ts'
import { parseClose } from './wire/messages.ts'
import { ReceiveStream } from './wire/receive-stream.ts'
import { SendStream } from './wire/send-stream.ts'
import type { Channel, WireLink } from './wire/wire-link.ts'

/**
 * A connection that was opened inside, as a Duplex: back-pressure and half-close both ways.
 * Destroying it before both ends ended resets the connection inside. It is never destroyed with
 * an error, since a listener that somebody forgot must not let a guest end the daemon.
 */
export class ConnectChannel extends Duplex implements Channel {
  readonly #link: WireLink
  readonly #id: number
  readonly #incoming: ReceiveStream
  readonly #outgoing: SendStream

  constructor(link: WireLink, id: number) {
    super({ allowHalfOpen: true, readableHighWaterMark: 16 * 1024 })
    this.#link = link
    this.#id = id
    this.#incoming = new ReceiveStream(WINDOW_CONNECTION_BYTES, (credit) =>
      link.grant(id, 0, credit),
    )
    this.#outgoing = new SendStream(WINDOW_CONNECTION_BYTES, (payload) =>
      link.sendOn(FrameType.data, id, payload),
    )
  }

  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.data:
        if (frame.flags !== 0) throw new ProtocolViolation('A connection has one stream')
        this.#incoming.accept(frame.payload)
        return
      case FrameType.end:
        if (frame.flags !== 0) throw new ProtocolViolation('A connection has one stream')
        this.#incoming.finish()
        return
      case FrameType.window:
        this.#outgoing.grant(frame.payload.readUInt32BE(0))
        return
      case FrameType.close:
        this.#outgoing.stop()
        if (parseClose(frame)) this.destroy()
        else if (!this.#incoming.ended && !this.destroyed)
          throw new ProtocolViolation('CLOSE before END')
        return
      default:
        throw new ProtocolViolation(`Type ${frame.type} on a connection`)
    }
  }

  lose(): void {
    this.destroy()
  }

  /** As `write`, but the bytes are the caller's again at once. */
  writeLent(bytes: Buffer): boolean {
    const open = !this.destroyed && !this.writableEnded
    const sent = open && this.writableLength === 0 ? this.#outgoing.sendNow(bytes) : 0
    return sent === bytes.length || this.write(Buffer.from(bytes.subarray(sent)))
  }

  override _read(): void {
    if (this.destroyed) return
    for (let chunk = this.#incoming.take(); chunk; chunk = this.#incoming.take())
      if (!this.push(chunk)) return
    if (this.#incoming.ended) this.push(null)
    else this.#incoming.onceReadable(() => this._read())
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const sent = this.#outgoing.sendNow(chunk)
    if (sent === chunk.length) done()
    else void this.#outgoing.write(chunk.subarray(sent)).then(done)
  }

  override _final(done: () => void): void {
    this.#link.sendOn(FrameType.end, this.#id)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const inOrder = this.readableEnded && this.writableFinished
    this.#link.close(this.#id, inOrder ? '' : 'relay ECONNRESET')
    this.#incoming.discard()
    this.#outgoing.stop()
    done(error)
  }
}
