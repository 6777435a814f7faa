import type { LimitCause } from '@aegis/core'
import { type Frame, FrameType, ProtocolViolation } from './wire/frame.ts'
import { WINDOW_LARGE_BYTES, WINDOW_SMALL_BYTES } from './wire/limits.ts'
import { type CloseReason, parseClose } from './wire/messages.ts'
import { ReceiveStream } from './wire/receive-stream.ts'
import { SendStream } from './wire/send-stream.ts'
import type { Channel, WireLink } from './wire/wire-link.ts'

/** How a transfer ended. */
export type Transfer<Result> =
  | { readonly state: 'done'; readonly result: Result }
  | { readonly state: 'failed'; readonly reason: NonNullable<CloseReason> }
  | { readonly state: 'too-large' }
  | { readonly state: 'lost'; readonly cause: LimitCause | undefined }

/** One file on its way in. The guest puts it in place when it is whole. */
export class FilePut implements Channel {
  readonly #link: WireLink
  readonly #id: number
  readonly #outgoing: SendStream
  readonly #waiter = Promise.withResolvers<Transfer<void>>()
  #sent = false
  #abandoned = false

  constructor(link: WireLink, id: number) {
    this.#link = link
    this.#id = id
    this.#outgoing = new SendStream(WINDOW_SMALL_BYTES, (payload) =>
      link.sendOn(FrameType.data, id, payload),
    )
  }

  get transfer(): Promise<Transfer<void>> {
    return this.#waiter.promise
  }

  /** Sends all there is of it. */
  async write(content: Uint8Array): Promise<void> {
    await this.#outgoing.write(content)
    this.#sent = true
    this.#link.sendOn(FrameType.end, this.#id)
  }

  receive(frame: Frame): void {
    if (frame.type === FrameType.window) {
      this.#outgoing.grant(frame.payload.readUInt32BE(0))
      return
    }
    if (frame.type !== FrameType.close)
      throw new ProtocolViolation(`Type ${frame.type} on a file's way in`)
    const reason = parseClose(frame)
    if (!reason && !this.#sent && !this.#abandoned)
      throw new ProtocolViolation('A file was done before it was sent')
    this.#settle(reason ? { state: 'failed', reason } : { state: 'done', result: undefined })
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    this.#abandoned = true
    this.#link.close(this.#id)
    this.#outgoing.stop()
  }

  lose(cause: LimitCause | undefined): void {
    this.#settle({ state: 'lost', cause })
  }

  #settle(transfer: Transfer<void>): void {
    this.#waiter.resolve(transfer)
    this.#outgoing.stop()
  }
}

/** One file on its way out, at most `limitBytes`. */
export class FileGet implements Channel {
  readonly #link: WireLink
  readonly #id: number
  readonly #limitBytes: number
  readonly #incoming: ReceiveStream
  readonly #waiter = Promise.withResolvers<Transfer<Uint8Array>>()
  readonly #chunks: Buffer[] = []
  #receivedBytes = 0
  #abandoned = false

  constructor(link: WireLink, id: number, limitBytes: number) {
    this.#link = link
    this.#id = id
    this.#limitBytes = limitBytes
    this.#incoming = new ReceiveStream(WINDOW_LARGE_BYTES, (credit) => link.grant(id, 0, credit))
  }

  get transfer(): Promise<Transfer<Uint8Array>> {
    return this.#waiter.promise
  }

  receive(frame: Frame): void {
    if (frame.type === FrameType.close) {
      this.#close(parseClose(frame))
      return
    }
    if (frame.flags !== 0) throw new ProtocolViolation('A file has one stream')
    if (frame.type === FrameType.data) this.#collect(frame)
    else if (frame.type === FrameType.end) this.#incoming.finish()
    else throw new ProtocolViolation(`Type ${frame.type} on a file's way out`)
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    this.#abandoned = true
    this.#link.close(this.#id)
    this.#chunks.length = 0
  }

  lose(cause: LimitCause | undefined): void {
    this.#waiter.resolve({ state: 'lost', cause })
  }

  #collect(frame: Frame): void {
    this.#incoming.accept(frame.payload)
    const chunk = this.#incoming.take()
    this.#receivedBytes += frame.payload.length
    if (this.#receivedBytes > this.#limitBytes + 1)
      throw new ProtocolViolation('More of a file than was asked for')
    if (chunk && !this.#abandoned) this.#chunks.push(chunk)
  }

  #close(reason: CloseReason): void {
    if (reason?.errno === 'EFBIG' || this.#receivedBytes > this.#limitBytes)
      this.#waiter.resolve({ state: 'too-large' })
    else if (reason) this.#waiter.resolve({ state: 'failed', reason })
    else if (this.#incoming.ended || this.#abandoned)
      this.#waiter.resolve({ state: 'done', result: Buffer.concat(this.#chunks) })
    else throw new ProtocolViolation('CLOSE before the end of a file')
  }
}
