import { type FrameType, writeHeader } from '../wire/frame.ts'
import { HEADER_BYTES } from '../wire/limits.ts'

/** A header for `length` bytes of payload, which are to follow. */
export function encodeHeader(
  type: FrameType,
  channel: number,
  length: number,
  flags: number,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  writeHeader(header, 0, { type, channel, length, flags })
  return header
}
