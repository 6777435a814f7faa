import type { Exit, LimitCause, SandboxProcess, SignalName } from '@aegis/core'
import { type Frame, FrameType, ProtocolViolation } from './wire/frame.ts'
import { WINDOW_LARGE_BYTES, WINDOW_SMALL_BYTES } from './wire/limits.ts'
import { type CloseReason, parseClose, parseExit } from './wire/messages.ts'
import { ReceiveStream } from './wire/receive-stream.ts'
import { SendStream } from './wire/send-stream.ts'
import { signalNumber } from './wire/signals.ts'
import type { Channel, WireLink } from './wire/wire-link.ts'

export interface ExecProcessOptions {
  readonly link: WireLink
  readonly id: number
  readonly outputLimitBytes: number
  /** It runs already, and waits for its first input. */
  readonly standsBy?: boolean
  /** The command printed more than it may. */
  readonly onOutputLimit: () => void
}

/** How the start of a command went. */
export type Start =
  | { readonly state: 'started' }
  | { readonly state: 'refused'; readonly reason: NonNullable<CloseReason> }
  | { readonly state: 'lost'; readonly cause: LimitCause | undefined }

const noUsage = { cpuUserMs: 0, cpuSystemMs: 0, maxRssBytes: 0 }

/** One command: its three streams, and the order in which a guest may speak of it. */
export class ExecProcess implements SandboxProcess, Channel {
  readonly #options: ExecProcessOptions
  readonly #stdin: SendStream
  readonly #output: readonly [ReceiveStream, ReceiveStream]
  readonly #startWaiter = Promise.withResolvers<Start>()
  readonly #exitWaiter = Promise.withResolvers<Exit>()
  #state: 'starting' | 'running' | 'exited' = 'starting'
  #stdinEnded = false
  #abandoned = false
  #printedBytes = 0

  constructor(options: ExecProcessOptions) {
    const { link, id } = options
    const receive = (stream: number) =>
      new ReceiveStream(WINDOW_LARGE_BYTES, (credit) => link.grant(id, stream, credit))
    this.#options = options
    this.#stdin = new SendStream(WINDOW_SMALL_BYTES, (payload) =>
      link.sendOn(FrameType.data, id, payload),
    )
    this.#output = [receive(0), receive(1)]
    if (options.standsBy) {
      this.#state = 'running'
      this.#startWaiter.resolve({ state: 'started' })
    }
  }

  get start(): Promise<Start> {
    return this.#startWaiter.promise
  }

  get exit(): Promise<Exit> {
    return this.#exitWaiter.promise
  }

  get stdout(): AsyncIterable<Uint8Array> {
    return this.#output[0]
  }

  get stderr(): AsyncIterable<Uint8Array> {
    return this.#output[1]
  }

  writeStdin(chunk: Uint8Array): Promise<void> {
    return this.#stdinEnded ? Promise.resolve() : this.#stdin.write(chunk)
  }

  closeStdin(): void {
    if (this.#stdinEnded) return
    this.#stdinEnded = true
    const { link, id } = this.#options
    // Behind what is still waiting for credit; an empty queue resolves at once.
    void this.#stdin.drained().then(() => link.sendOn(FrameType.end, id))
  }

  kill(name: SignalName): void {
    this.#control(FrameType.signal, Buffer.of(signalNumber(name)))
  }

  resize(rows: number, columns: number): void {
    const payload = Buffer.alloc(4)
    payload.writeUInt16BE(Math.min(rows, 0xffff), 0)
    payload.writeUInt16BE(Math.min(columns, 0xffff), 2)
    this.#control(FrameType.resize, payload)
  }

  /** Nobody waits for it any more: the guest kills it. */
  abandon(): void {
    this.#abandoned = true
    this.#options.link.close(this.#options.id)
    for (const stream of this.#output) stream.discard()
    this.#stdin.stop()
  }

  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.started:
        if (this.#state !== 'starting') throw new ProtocolViolation('STARTED twice')
        this.#state = 'running'
        this.#startWaiter.resolve({ state: 'started' })
        return
      case FrameType.data:
        this.#print(frame)
        return
      case FrameType.end:
        this.#whileRunning('END')
        this.#streamOf(frame).finish()
        return
      case FrameType.window:
        this.#stdin.grant(frame.payload.readUInt32BE(0))
        return
      case FrameType.exit:
        this.#end(parseExit(frame.payload))
        return
      case FrameType.close:
        this.#close(parseClose(frame))
        return
      default:
        throw new ProtocolViolation(`Type ${frame.type} on a command's channel`)
    }
  }

  lose(cause: LimitCause | undefined): void {
    this.#startWaiter.resolve({ state: 'lost', cause })
    this.#settle({ code: undefined, signal: undefined, usage: noUsage, cause })
  }

  #control(type: FrameType, payload: Buffer): void {
    if (this.#state === 'running') this.#options.link.sendOn(type, this.#options.id, payload)
  }

  #streamOf(frame: Frame): ReceiveStream {
    return frame.flags === 0 ? this.#output[0] : this.#output[1]
  }

  #whileRunning(what: string): void {
    if (this.#state !== 'running') throw new ProtocolViolation(`${what} while ${this.#state}`)
  }

  /** Counts before it delivers: not one byte beyond the limit reaches the reader. */
  #print(frame: Frame): void {
    this.#whileRunning('DATA')
    const left = this.#options.outputLimitBytes - this.#printedBytes
    this.#printedBytes += frame.payload.length
    if (frame.payload.length <= left) {
      this.#streamOf(frame).accept(frame.payload)
      return
    }
    if (left > 0) this.#streamOf(frame).accept(frame.payload.subarray(0, left))
    this.#options.onOutputLimit()
  }

  #end(exit: Exit): void {
    this.#whileRunning('EXIT')
    if (this.#output.some((stream) => !stream.ended))
      throw new ProtocolViolation('EXIT before the end of the output')
    this.#state = 'exited'
    this.#settle(exit)
  }

  #close(reason: CloseReason): void {
    if (this.#state === 'starting' && reason)
      this.#startWaiter.resolve({ state: 'refused', reason })
    else if (this.#state !== 'exited' && !this.#abandoned)
      throw new ProtocolViolation(`CLOSE while ${this.#state}`)
    this.lose(undefined)
  }

  #settle(exit: Exit): void {
    this.#exitWaiter.resolve(exit)
    for (const stream of this.#output) stream.stop()
    this.#stdin.stop()
  }
}
