import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeHeader } from '../testing/encode-header.ts'
import { type Frame, FrameDecoder, FrameType, ProtocolViolation } from './frame.ts'
import { FRAME_MAX_BYTES, GUEST_CHANNEL_BIT, PAYLOAD_MAX_BYTES } from './limits.ts'

const encode = ({ type, flags, channel, payload }: Frame): Buffer =>
  Buffer.concat([encodeHeader(type, channel, payload.length, flags), payload])

const bytes = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array))
const channel = fc.integer({ min: 1, max: 0xffff_ffff }).filter((id) => id !== GUEST_CHANNEL_BIT)
const stream = fc.constantFrom(0, 1)

/** Every kind of frame that a guest may send. */
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant(FrameType.data),
    flags: stream,
    channel,
    payload: fc.oneof(bytes(1, 50), bytes(PAYLOAD_MAX_BYTES - 5, PAYLOAD_MAX_BYTES)),
  }),
  fc.record({ type: fc.constant(FrameType.end), flags: stream, channel, payload: bytes(0, 0) }),
  fc.record({
    type: fc.constantFrom(FrameType.close),
    flags: fc.constant(0),
    channel,
    payload: bytes(0, 64),
  }),
  fc.record({
    type: fc.constantFrom(FrameType.hello, FrameType.pong),
    flags: fc.constant(0),
    channel: fc.constant(0),
    payload: bytes(8, 8),
  }),
)

/** Cuts `all` into chunks at the given places. */
function cut(all: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (all.length + 1)), all.length].sort(
    (a, b) => a - b,
  )
  return at.slice(1).map((end, i) => all.subarray(at[i], end))
}

it('gives back the frames that went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(300_000), { maxLength: 20 }),
      (frames, places) => {
        const decoder = new FrameDecoder()
        const decoded: Frame[] = []
        for (const chunk of cut(Buffer.concat(frames.map(encode)), places))
          decoder.push(chunk, (one) => decoded.push(one) > 0)
        expect(decoded).toEqual(frames)
      },
    ),
    { numRuns: 200 },
  )
})

it('gives back frames that arrive byte by byte', () => {
  const frames: Frame[] = [
    { type: FrameType.data, flags: 1, channel: 7, payload: Buffer.from('abc') },
    { type: FrameType.end, flags: 0, channel: 0x8000_0001, payload: Buffer.alloc(0) },
  ]
  const decoder = new FrameDecoder()
  const decoded: Frame[] = []
  for (const byte of Buffer.concat(frames.map(encode)))
    decoder.push(Buffer.of(byte), (one) => decoded.push(one) > 0)
  expect(decoded).toEqual(frames)
})

it('meets arbitrary bytes with frames or a violation, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(bytes(0, 64)), (chunks) => {
      const decoder = new FrameDecoder()
      try {
        for (const chunk of chunks) decoder.push(chunk, () => true)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolViolation)
      }
    }),
    { numRuns: 1000 },
  )
})

it.each([
  ['a type that only hosts send', encodeHeader(FrameType.exec, 1, 10, 0)],
  ['an unknown type', Buffer.from([99, 0, 0, 0, 0, 0, 0, 1])],
  ['an unknown flag', Buffer.from([FrameType.data, 2, 0, 1, 0, 0, 0, 1])],
  ['more payload than a frame holds', Buffer.from([FrameType.data, 0, 0x7f, 0xf9, 0, 0, 0, 1])],
  ['DATA without data', encodeHeader(FrameType.data, 1, 0, 0)],
  ['DATA on the session', encodeHeader(FrameType.data, 0, 1, 0)],
  ['HELLO on a channel', encodeHeader(FrameType.hello, 1, 8, 0)],
  ['CONNECT on a channel of the host', encodeHeader(FrameType.connect, 1, 3, 0)],
  ['STARTED on a channel of the guest', encodeHeader(FrameType.started, 0x8000_0001, 0, 0)],
  ['EXIT of the wrong size', encodeHeader(FrameType.exit, 1, 27, 0)],
])('refuses %s as soon as its header is there', (_what, header) => {
  expect(() => new FrameDecoder().push(header, () => true)).toThrow(ProtocolViolation)
  const slow = new FrameDecoder()
  slow.push(header.subarray(0, 7), () => true)
  expect(() => slow.push(header.subarray(7), () => true)).toThrow(ProtocolViolation)
})

it('stops when the receiver does not want more', () => {
  const decoder = new FrameDecoder()
  const seen: Frame[] = []
  const one = encode({ type: FrameType.end, flags: 0, channel: 1, payload: Buffer.alloc(0) })
  decoder.push(Buffer.concat([one, one, one]), (frame) => seen.push(frame) < 2)
  expect(seen).toHaveLength(2)
})

it('makes frames of at most 32 KiB', () => {
  expect(encodeHeader(FrameType.data, 1, PAYLOAD_MAX_BYTES, 0).length + PAYLOAD_MAX_BYTES).toBe(
    FRAME_MAX_BYTES,
  )
  expect(() => encodeHeader(FrameType.data, 1, PAYLOAD_MAX_BYTES + 1, 0)).toThrow(RangeError)
})
