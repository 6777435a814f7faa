import { ProtocolViolation } from './frame.ts'
import { DATA_COST_MIN, PAYLOAD_MAX_BYTES } from './limits.ts'

interface Pending {
  chunk: Buffer
  readonly accepted: () => void
}

/** What the host sends on one stream: in order, cut into frames, no more than the guest allows. */
export class SendStream {
  readonly #window: number
  readonly #emit: (payload: Buffer) => void
  readonly #pending: Pending[] = []
  #credit: number
  #stopped = false

  constructor(windowBytes: number, emit: (payload: Buffer) => void) {
    this.#window = windowBytes
    this.#credit = windowBytes
    this.#emit = emit
  }

  /** Resolves when all bytes are on their way, or when nobody wants them any more. */
  write(chunk: Uint8Array): Promise<void> {
    if (this.#stopped || chunk.length === 0) return Promise.resolve()
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    return new Promise((accepted) => {
      this.#pending.push({ chunk: bytes, accepted })
      this.#flush()
    })
  }

  /** Sends what may be sent at once, of bytes that the caller only lends; returns how many went. */
  sendNow(bytes: Buffer): number {
    if (this.#stopped) return bytes.length
    if (this.#pending.length > 0) return 0
    return this.#emitSome(bytes)
  }

  /** Resolves when nothing waits any more. */
  drained(): Promise<void> {
    if (this.#pending.length === 0) return Promise.resolve()
    return new Promise((accepted) => this.#pending.push({ chunk: Buffer.alloc(0), accepted }))
  }

  /** @throws ProtocolViolation when the guest grants more than its window holds */
  grant(credit: number): void {
    if (credit === 0 || this.#credit + credit > this.#window)
      throw new ProtocolViolation('WINDOW beyond its bound')
    this.#credit += credit
    this.#flush()
  }

  /** Lets go of everything that waits. */
  stop(): void {
    this.#stopped = true
    for (const { accepted } of this.#pending.splice(0)) accepted()
  }

  #flush(): void {
    for (let first = this.#pending[0]; first; first = this.#pending[0]) {
      first.chunk = first.chunk.subarray(this.#emitSome(first.chunk))
      if (first.chunk.length > 0) return
      this.#pending.shift()
      first.accepted()
    }
  }

  /** Returns how many bytes the window let through. */
  #emitSome(bytes: Buffer): number {
    let sent = 0
    while (sent < bytes.length && this.#credit >= DATA_COST_MIN) {
      const size = Math.min(bytes.length - sent, this.#credit, PAYLOAD_MAX_BYTES)
      this.#credit -= Math.max(size, DATA_COST_MIN)
      this.#emit(bytes.subarray(sent, sent + size))
      sent += size
    }
    return sent
  }
}
