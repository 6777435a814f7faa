import type { Writable } from 'node:stream'
import { type FrameType, writeHeader } from './frame.ts'
import { FRAME_MAX_BYTES, HEADER_BYTES } from './limits.ts'

const batchBytes = 4 * FRAME_MAX_BYTES
/** What is shorter leaves in a buffer of its own size: a peer that does not read pins no more. */
const smallBytes = 8 * 1024

/** Of all links of this process: each needs one for a turn, few at the same time. */
const spares: Buffer[] = []
const sparesMax = 16

/**
 * Frames on their way to the peer. Their payloads are copied, so that who sends may use the bytes
 * again at once, and those of one turn leave in as few writes as possible.
 */
export class FrameBatch {
  readonly #stream: Writable
  #buffer: Buffer | undefined
  #used = 0

  constructor(stream: Writable) {
    this.#stream = stream
  }

  add(type: FrameType, channel: number, payload: Buffer | undefined, flags: number): void {
    const length = payload?.length ?? 0
    if (this.#used + HEADER_BYTES + length > batchBytes) this.flush()
    const buffer = this.#buffer ?? this.#begin()
    writeHeader(buffer, this.#used, { type, channel, length, flags })
    this.#used += HEADER_BYTES
    payload?.copy(buffer, this.#used)
    this.#used += length
  }

  /** Hands over what is there; nothing is left to send then. */
  flush(): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    const bytes = buffer.subarray(0, this.#used)
    this.#buffer = undefined
    this.#used = 0
    if (bytes.length > smallBytes && !this.#stream.destroyed) {
      this.#stream.write(bytes, () => keep(buffer))
      return
    }
    if (!this.#stream.destroyed) this.#stream.write(Buffer.from(bytes))
    keep(buffer)
  }

  #begin(): Buffer {
    this.#buffer = spares.pop() ?? Buffer.allocUnsafeSlow(batchBytes)
    process.nextTick(() => this.flush())
    return this.#buffer
  }
}

function keep(buffer: Buffer): void {
  if (spares.length < sparesMax) spares.push(buffer)
}
