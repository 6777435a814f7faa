import { type Duplex, duplexPair } from 'node:stream'
import { connectGuest } from '../connect-guest.ts'
import type { GuestOptions, GuestSession } from '../guest-session.ts'
import { FrameType } from '../wire/frame.ts'
import { HELLO_MAGIC, PROTOCOL_VERSION } from '../wire/limits.ts'
import { encodeHeader } from './encode-header.ts'

/** A guest that says exactly what a test wants it to say, and remembers what it was told. */
export interface FakeGuest {
  readonly wire: Duplex
  send(type: FrameType, channel: number, payload?: Uint8Array, flags?: number): void
  /** Resolves with the payload of the next frame of this type. */
  next(type: FrameType): Promise<{ channel: number; flags: number; payload: Buffer }>
}

interface Heard {
  readonly type: number
  readonly flags: number
  readonly channel: number
  readonly payload: Buffer
}

export function makeFakeGuest(): { guest: FakeGuest; hostEnd: Duplex } {
  const [hostEnd, wire] = duplexPair()
  const heard: Heard[] = []
  const waiting = new Set<() => void>()
  let unread = Buffer.alloc(0)
  wire.on('error', () => {})
  wire.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk])
    while (unread.length >= 8 && unread.length >= 8 + unread.readUInt16BE(2)) {
      const end = 8 + unread.readUInt16BE(2)
      heard.push({
        type: unread.readUInt8(0),
        flags: unread.readUInt8(1),
        channel: unread.readUInt32BE(4),
        payload: unread.subarray(8, end),
      })
      unread = unread.subarray(end)
    }
    for (const wake of waiting) wake()
  })
  const guest: FakeGuest = {
    wire,
    send: (type, channel, payload = Buffer.alloc(0), flags = 0) => {
      wire.write(Buffer.concat([encodeHeader(type, channel, payload.length, flags), payload]))
    },
    next: (type) =>
      new Promise((resolve) => {
        const look = () => {
          const at = heard.findIndex((frame) => frame.type === type)
          const [frame] = at < 0 ? [] : heard.splice(at, 1)
          if (!frame) return
          waiting.delete(look)
          resolve(frame)
        }
        waiting.add(look)
        look()
      }),
  }
  return { guest, hostEnd }
}

export function hello(version = PROTOCOL_VERSION): Buffer {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(HELLO_MAGIC)
  payload.writeUInt16BE(version, 4)
  return payload
}

/** DNS off, one listener, open. */
export const configured = Buffer.from([0, 1, ...Buffer.from('OK')])

/** A session that is ready, with a fake guest at its other end. */
export async function connectFakeGuest(
  options: Partial<GuestOptions> = {},
): Promise<{ guest: FakeGuest; session: GuestSession }> {
  const { guest, hostEnd } = makeFakeGuest()
  const connecting = connectGuest(
    hostEnd,
    { onConnect: (_target, stream) => stream.destroy(), outputLimitBytes: 1 << 20, ...options },
    new AbortController().signal,
  )
  guest.send(FrameType.hello, 0, hello())
  await guest.next(FrameType.configure)
  guest.send(FrameType.configured, 0, configured)
  return { guest, session: await connecting }
}

export const never = new AbortController().signal
export const command = { argv: ['x'], env: {}, cwd: '/' } as const
/** The first channel that a guest may open, and what it asks for there. */
export const guestChannel = 0x8000_0001
export const agentApi = Buffer.from([0, 0, 0])

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A session with one command that runs on channel 1. */
export async function withCommand(options: Partial<GuestOptions> = {}) {
  const { guest, session } = await connectFakeGuest(options)
  const starting = session.exec(command, never)
  await guest.next(FrameType.exec)
  guest.send(FrameType.started, 1)
  return { guest, session, process: await starting }
}

/** The command on this channel ends in good order, with code 0. */
export function finish(guest: FakeGuest, channel: number): void {
  guest.send(FrameType.end, channel)
  guest.send(FrameType.end, channel, undefined, 1)
  guest.send(FrameType.exit, channel, Buffer.alloc(28))
  guest.send(FrameType.close, channel)
}
