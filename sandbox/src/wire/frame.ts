import {
  FRAME_MAX_BYTES,
  GENERATION_BYTES,
  GUEST_CHANNEL_BIT,
  HEADER_BYTES,
  LISTENERS_MAX,
  NAME_MAX_BYTES,
  PAYLOAD_MAX_BYTES,
  PROOF_BYTES,
  REASON_MAX_BYTES,
} from './limits.ts'

export const FrameType = {
  hello: 1,
  configure: 2,
  configured: 3,
  ping: 4,
  pong: 5,
  stats: 6,
  statsReply: 7,
  notice: 8,
  quiesce: 9,
  quiet: 10,
  resume: 11,

  exec: 16,
  started: 17,
  exit: 18,
  signal: 19,
  resize: 20,
  put: 21,
  get: 22,
  connect: 23,

  data: 32,
  end: 33,
  window: 34,
  close: 35,
} as const

export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** On EXEC and CONFIGURE: another fragment follows. */
export const FLAG_MORE = 1

export interface Frame {
  readonly type: FrameType
  /** FLAG_MORE on requests; the stream's number on DATA, END and WINDOW: 0 main, 1 stderr. */
  readonly flags: number
  /** 0: the session itself. */
  readonly channel: number
  readonly payload: Buffer
}

/** The peer sent what the protocol does not allow. Ends its session and nothing else. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation'
}

interface Rule {
  readonly type: FrameType
  readonly on: 'session' | 'guest-channel' | 'any-channel' | 'host-channel'
  readonly flags: number
  readonly least: number
  readonly most: number
}

/** Two numbers, a proof, and a word of at most 16 letters per step and per listener. */
const configuredMaxBytes = 2 + PROOF_BYTES + 17 * (4 + LISTENERS_MAX)

/** What a guest may send; anything else is a violation. */
const fromGuest: readonly Rule[] = [
  { type: FrameType.hello, on: 'session', flags: 0, least: 8, most: 8 + GENERATION_BYTES },
  { type: FrameType.configured, on: 'session', flags: 0, least: 2, most: configuredMaxBytes },
  { type: FrameType.pong, on: 'session', flags: 0, least: 8, most: 8 },
  { type: FrameType.statsReply, on: 'session', flags: 0, least: 48, most: 48 },
  { type: FrameType.notice, on: 'session', flags: 0, least: 2, most: 5 + NAME_MAX_BYTES },
  { type: FrameType.quiet, on: 'session', flags: 0, least: 4, most: 4 + REASON_MAX_BYTES },
  { type: FrameType.started, on: 'host-channel', flags: 0, least: 0, most: 0 },
  { type: FrameType.exit, on: 'host-channel', flags: 0, least: 28, most: 28 },
  { type: FrameType.connect, on: 'guest-channel', flags: 0, least: 3, most: 3 + NAME_MAX_BYTES },
  { type: FrameType.data, on: 'any-channel', flags: 1, least: 1, most: PAYLOAD_MAX_BYTES },
  { type: FrameType.end, on: 'any-channel', flags: 1, least: 0, most: 0 },
  { type: FrameType.window, on: 'any-channel', flags: 0, least: 4, most: 4 },
  { type: FrameType.close, on: 'any-channel', flags: 0, least: 0, most: REASON_MAX_BYTES },
]

const rules: readonly (Rule | undefined)[] = fromGuest.reduce<(Rule | undefined)[]>(
  (table, rule) => {
    table[rule.type] = rule
    return table
  },
  [],
)

function fits(on: Rule['on'], channel: number): boolean {
  const number = channel % GUEST_CHANNEL_BIT
  switch (on) {
    case 'session':
      return channel === 0
    case 'host-channel':
      return number !== 0 && channel < GUEST_CHANNEL_BIT
    case 'guest-channel':
      return number !== 0 && channel >= GUEST_CHANNEL_BIT
    case 'any-channel':
      return number !== 0
  }
}

/** Bytes of the frame that starts at `at`, header included; checks the header in full. */
function checkHeader(bytes: Buffer, at: number): number {
  const type = bytes.readUInt8(at)
  const flags = bytes.readUInt8(at + 1)
  const length = bytes.readUInt16BE(at + 2)
  const rule = rules[type]
  if (!rule) throw new ProtocolViolation(`A guest sends no frame of type ${type}`)
  if ((flags & ~rule.flags) !== 0) throw new ProtocolViolation(`Flags ${flags} on type ${type}`)
  if (length < rule.least || length > rule.most)
    throw new ProtocolViolation(`${length} bytes of payload on type ${type}`)
  const channel = bytes.readUInt32BE(at + 4)
  if (!fits(rule.on, channel))
    throw new ProtocolViolation(`Type ${type} on channel ${channel.toString(16)}`)
  return HEADER_BYTES + length
}

function frameAt(bytes: Buffer, at: number, size: number): Frame {
  return {
    type: bytes.readUInt8(at) as FrameType,
    flags: bytes.readUInt8(at + 1),
    channel: bytes.readUInt32BE(at + 4),
    payload: bytes.subarray(at + HEADER_BYTES, at + size),
  }
}

/**
 * Cuts what a guest sent into frames. Holds at most one unfinished frame; payloads are views of
 * the chunks, or of that one frame's own buffer, and are never written again.
 */
export class FrameDecoder {
  readonly #header = Buffer.alloc(HEADER_BYTES)
  /** The unfinished frame: first its header, then, once that is checked, all of it. */
  #partial: Buffer = this.#header
  #filled = 0

  /**
   * Calls `onFrame` for every frame that is complete now, until it returns false.
   * @throws ProtocolViolation at the first byte that no guest may send
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => boolean): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#filled === 0 && chunk.length - at >= HEADER_BYTES) {
        const size = checkHeader(chunk, at)
        if (chunk.length - at >= size) {
          const frame = frameAt(chunk, at, size)
          at += size
          if (!onFrame(frame)) return
          continue
        }
      }
      at += this.#collect(chunk, at)
      const frame = this.#finished()
      if (frame && !onFrame(frame)) return
    }
  }

  #collect(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#partial, this.#filled, at)
    this.#filled += copied
    if (this.#partial !== this.#header || this.#filled < HEADER_BYTES) return copied
    const size = checkHeader(this.#header, 0)
    this.#partial = Buffer.allocUnsafeSlow(size)
    this.#header.copy(this.#partial)
    return copied
  }

  #finished(): Frame | undefined {
    if (this.#partial === this.#header || this.#filled < this.#partial.length) return undefined
    const frame = frameAt(this.#partial, 0, this.#partial.length)
    this.#partial = this.#header
    this.#filled = 0
    return frame
  }
}

export interface FrameHeader extends Omit<Frame, 'payload'> {
  /** Of the payload that follows, in bytes. */
  readonly length: number
}

/** Puts a header into `buffer` at `at`. */
export function writeHeader(buffer: Buffer, at: number, header: FrameHeader): void {
  const { type, flags, length, channel } = header
  if (length > PAYLOAD_MAX_BYTES) throw new RangeError(`A frame holds ${FRAME_MAX_BYTES} bytes`)
  buffer.writeUInt8(type, at)
  buffer.writeUInt8(flags, at + 1)
  buffer.writeUInt16BE(length, at + 2)
  buffer.writeUInt32BE(channel, at + 4)
}
