import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'

/** One event or line of a stream: the bytes as they came, and what they carry. */
export interface Frame {
  readonly bytes: Buffer
  /** Empty where the frame carries nothing, such as a comment. */
  readonly data: string
}

/** Cuts a byte stream into whole frames, however it is chunked. */
export interface FrameSplitter {
  /**
   * The frames that `chunk` completes.
   * @throws AegisError `unavailable` / `llm.protocol` when one grows beyond its bound
   */
  push(chunk: Buffer): readonly Frame[]
  /** What is left when the stream has ended without the last delimiter. */
  flush(): Frame | undefined
}

/** Gathers the bytes of a frame that came in several chunks. */
export interface FrameBytes {
  isEmpty(): boolean
  add(bytes: Buffer): void
  /** All since the last `take`, with `last` at the end. */
  take(last: Buffer): Buffer
}

export function makeFrameBytes(maxBytes: number = limits.frameBytes): FrameBytes {
  let parts: Buffer[] = []
  let size = 0
  return {
    isEmpty: () => parts.length === 0,
    add(bytes) {
      size += bytes.length
      if (size > maxBytes) {
        const message = `The provider sent an event of more than ${maxBytes} bytes.`
        throw llmFault('unavailable', 'llm.protocol', message)
      }
      if (bytes.length > 0) parts.push(bytes)
    },
    take(last) {
      if (parts.length === 0) return last
      const whole = Buffer.concat([...parts, last])
      parts = []
      size = 0
      return whole
    },
  }
}
