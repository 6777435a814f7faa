import { type Frame, type FrameSplitter, makeFrameBytes } from './frame.ts'

/** Splits newline-delimited JSON: every line that is not blank is a frame. */
export function makeLineSplitter(maxBytes?: number): FrameSplitter {
  const pending = makeFrameBytes(maxBytes)
  const frameOf = (bytes: Buffer): Frame => ({ bytes, data: bytes.toString('utf8').trim() })

  return {
    push(chunk) {
      const frames: Frame[] = []
      let start = 0
      for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
        frames.push(frameOf(pending.take(chunk.subarray(start, end + 1))))
        start = end + 1
      }
      pending.add(chunk.subarray(start))
      return frames
    },
    flush() {
      const bytes = pending.take(Buffer.alloc(0))
      return bytes.length === 0 ? undefined : frameOf(bytes)
    },
  }
}
