import { ProtocolViolation } from './frame.ts'
import { DATA_COST_MIN, HEADER_BYTES } from './limits.ts'

const cost = (bytes: number): number => Math.max(bytes, DATA_COST_MIN)

/**
 * What the guest sends on one stream, held until somebody takes it, at most a window full. Credit
 * goes back as chunks are taken, so a slow reader holds the guest back and nobody else.
 */
export class ReceiveStream implements AsyncIterable<Uint8Array> {
  readonly #window: number
  readonly #grant: (credit: number) => void
  readonly #chunks: Buffer[] = []
  #credit: number
  #owed = 0
  #discards = false
  #wake: (() => void) | undefined
  /** No more will arrive. */
  ended = false

  constructor(windowBytes: number, grant: (credit: number) => void) {
    this.#window = windowBytes
    this.#credit = windowBytes
    this.#grant = grant
  }

  /** @throws ProtocolViolation when the guest overruns its window or its own end */
  accept(payload: Buffer): void {
    if (this.ended) throw new ProtocolViolation('DATA after END')
    this.#credit -= cost(payload.length)
    if (this.#credit < 0) throw new ProtocolViolation('DATA beyond its window')
    if (this.#discards) {
      this.#giveBack(cost(payload.length))
      return
    }
    // A crumb must not keep the whole chunk alive that it arrived in; a full frame is half of one.
    const sparse = (payload.length + HEADER_BYTES) * 2 < payload.buffer.byteLength
    this.#chunks.push(sparse ? Buffer.from(payload) : payload)
    this.#notify()
  }

  /** @throws ProtocolViolation when it had ended already */
  finish(): void {
    if (this.ended) throw new ProtocolViolation('END twice')
    this.stop()
  }

  /** Ends it from this side; what has arrived may still be taken. */
  stop(): void {
    this.ended = true
    this.#notify()
  }

  /** The next chunk, or undefined when none is there now. */
  take(): Buffer | undefined {
    const chunk = this.#chunks.shift()
    if (chunk) this.#giveBack(cost(chunk.length))
    return chunk
  }

  /** Nobody will take any more: what arrives is dropped, so that the guest is not held back. */
  discard(): void {
    this.#discards = true
    while (this.take());
    this.#notify()
  }

  /** Calls `listener` once, when there is something to take or the end. */
  onceReadable(listener: () => void): void {
    if (this.#chunks.length > 0 || this.ended || this.#discards) listener()
    else this.#wake = listener
  }

  /** For one reader. Leaving the loop early discards the rest. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const chunk = this.take()
        if (chunk) yield chunk
        else if (this.ended || this.#discards) return
        else await new Promise<void>((resolve) => this.onceReadable(resolve))
      }
    } finally {
      this.discard()
    }
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #giveBack(credit: number): void {
    this.#owed += credit
    if (this.ended || this.#owed < this.#window / 4) return
    this.#credit += this.#owed
    this.#grant(this.#owed)
    this.#owed = 0
  }
}
