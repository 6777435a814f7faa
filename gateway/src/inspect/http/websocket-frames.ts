import { Transform } from 'node:stream'
import { AegisError } from '@aegis/core'
import { inspectLimits } from '../inspect-limits.ts'
import type { FormGuard } from '../secrets/form-guard.ts'

/**
 * Passes frames of a websocket on unchanged (RFC 6455, 5.2), and reads what they carry: guards see
 * messages without masks and frame heads, so that nothing hides by being cut into frames. Messages and
 * control frames have a guard each.
 */
export function watchFrames(messages: FormGuard, controls: FormGuard): Transform {
  const reader = makeFrameReader(messages, controls)
  const pass = (
    chunk: Buffer,
    last: boolean,
    done: (error: Error | null, out?: Buffer) => void,
  ) => {
    try {
      done(null, reader(chunk, last))
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => pass(chunk, false, done),
    flush: (done) => pass(Buffer.alloc(0), true, done),
  })
}

/** Bytes that have been read and wait for their guard. */
interface Waiting {
  bytes: Buffer
  /** Of a frame's head: passes with what is around it. */
  readonly guard: FormGuard | undefined
}

function makeFrameReader(messages: FormGuard, controls: FormGuard) {
  const waiting: Waiting[] = []
  const passable = new Map<FormGuard, number>()
  let head: Buffer = Buffer.alloc(0)
  let frame: { left: bigint; mask: Buffer | undefined; at: number; guard: FormGuard } | undefined

  function readHead(chunk: Buffer): Buffer {
    const bytes = Buffer.concat([head, chunk])
    const length = headLength(bytes)
    if (length === undefined || bytes.length < length) {
      head = bytes
      return Buffer.alloc(0)
    }
    head = Buffer.alloc(0)
    waiting.push({ bytes: bytes.subarray(0, length), guard: undefined })
    frame = {
      left: payloadLength(bytes),
      mask: isMasked(bytes) ? bytes.subarray(length - 4, length) : undefined,
      at: 0,
      guard: ((bytes[0] ?? 0) & 0x08) === 0 ? messages : controls,
    }
    return bytes.subarray(length)
  }

  function readPayload(current: NonNullable<typeof frame>, chunk: Buffer): Buffer {
    const size = current.left < BigInt(chunk.length) ? Number(current.left) : chunk.length
    const raw = chunk.subarray(0, size)
    const plain = current.mask === undefined ? raw : unmask(raw, current.mask, current.at)
    waiting.push({ bytes: raw, guard: current.guard })
    pass(current.guard, current.guard.push(plain).length)
    current.at = (current.at + size) % 4
    current.left -= BigInt(size)
    if (current.left === 0n) frame = undefined
    return chunk.subarray(size)
  }

  const pass = (guard: FormGuard, count: number) =>
    passable.set(guard, (passable.get(guard) ?? 0) + count)

  function release(): Buffer {
    const out: Buffer[] = []
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const free = first.guard === undefined ? first.bytes.length : (passable.get(first.guard) ?? 0)
      const size = Math.min(free, first.bytes.length)
      out.push(first.bytes.subarray(0, size))
      if (first.guard !== undefined) pass(first.guard, -size)
      first.bytes = first.bytes.subarray(size)
      if (first.bytes.length > 0) break
      waiting.shift()
    }
    refuseHoard(waiting)
    return Buffer.concat(out)
  }

  return (chunk: Buffer, last: boolean): Buffer => {
    let rest = chunk
    while (rest.length > 0) {
      rest = frame === undefined ? readHead(rest) : readPayload(frame, rest)
      if (frame?.left === 0n) frame = undefined
    }
    if (last) {
      for (const guard of [messages, controls])
        pass(guard, guard.push(Buffer.alloc(0), true).length)
    }
    return release()
  }
}

/** Frames may gather behind bytes that are kept back, but no more of them than honest ends send there. */
function refuseHoard(waiting: readonly Waiting[]): void {
  const bytes = waiting.reduce((sum, each) => sum + each.bytes.length, 0)
  if (waiting.length <= inspectLimits.heldFrames && bytes <= inspectLimits.heldFrameBytes) return
  throw refusal('Too much follows a message that is kept back, since it begins as a secret does.')
}

const isMasked = (head: Buffer): boolean => ((head[1] ?? 0) & 0x80) !== 0

/** Undefined until its first two bytes are there. */
function headLength(head: Buffer): number | undefined {
  const [first, second] = head
  if (first === undefined || second === undefined) return undefined
  // Packed messages are of an extension, which was not agreed upon.
  if ((first & 0x70) !== 0) {
    throw refusal('A frame uses an extension that nobody agreed to.')
  }
  const size = second & 0x7f
  return 2 + (size === 126 ? 2 : size === 127 ? 8 : 0) + (isMasked(head) ? 4 : 0)
}

const refusal = (message: string): AegisError =>
  new AegisError('invalid', 'egress.websocket', message, {
    details: { record: 'network.connect' },
  })

function payloadLength(head: Buffer): bigint {
  const size = (head[1] ?? 0) & 0x7f
  if (size === 126) return BigInt(head.readUInt16BE(2))
  return size === 127 ? head.readBigUInt64BE(2) : BigInt(size)
}

function unmask(bytes: Buffer, mask: Buffer, from: number): Buffer {
  const plain = Buffer.from(bytes)
  for (let at = 0; at < plain.length; at++) {
    plain[at] = (plain[at] ?? 0) ^ (mask[(from + at) & 3] ?? 0)
  }
  return plain
}
