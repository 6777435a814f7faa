import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  agentApi,
  command,
  type FakeGuest,
  finish,
  guestChannel,
  hello,
  never,
  u32,
  withCommand,
} from './testing/fake-guest.ts'
import { FrameType } from './wire/frame.ts'
import { PAYLOAD_MAX_BYTES, WINDOW_LARGE_BYTES } from './wire/limits.ts'

const tcp = (host: string): Buffer => Buffer.concat([Buffer.from([1, 1, 187]), Buffer.from(host)])

describe('a guest that breaks the protocol', () => {
  type Act = (guest: FakeGuest) => void
  const chunk = Buffer.alloc(PAYLOAD_MAX_BYTES)
  const cases: readonly (readonly [string, Act])[] = [
    ['says hello again', (guest) => guest.send(FrameType.hello, 0, hello())],
    ['answers a ping that nobody sent', (guest) => guest.send(FrameType.pong, 0, Buffer.alloc(8))],
    [
      'reports usage that nobody asked for',
      (guest) => guest.send(FrameType.statsReply, 0, Buffer.alloc(48)),
    ],
    ['speaks on a channel that is not open', (guest) => guest.send(FrameType.end, 77)],
    ['starts a command twice', (guest) => guest.send(FrameType.started, 1)],
    ['closes a running command', (guest) => guest.send(FrameType.close, 1)],
    [
      'refuses a running command',
      (guest) => guest.send(FrameType.close, 1, Buffer.from('exec ENOENT')),
    ],
    [
      'gives a reason in no known form',
      (guest) => guest.send(FrameType.close, 1, Buffer.from('\x1b[2J')),
    ],
    [
      'ends a command before its output',
      (guest) => guest.send(FrameType.exit, 1, Buffer.alloc(28)),
    ],
    [
      'ends a stream twice',
      (guest) => {
        guest.send(FrameType.end, 1)
        guest.send(FrameType.end, 1)
      },
    ],
    [
      'prints after the end',
      (guest) => {
        guest.send(FrameType.end, 1, undefined, 1)
        guest.send(FrameType.data, 1, Buffer.of(1), 1)
      },
    ],
    [
      'prints beyond its window',
      (guest) => {
        for (let sent = 0; sent <= WINDOW_LARGE_BYTES; sent += chunk.length)
          guest.send(FrameType.data, 1, chunk)
      },
    ],
    [
      'fills its window with crumbs',
      (guest) => {
        for (let i = 0; i <= WINDOW_LARGE_BYTES / 256; i++)
          guest.send(FrameType.data, 1, Buffer.of(1))
      },
    ],
    ['grants nothing', (guest) => guest.send(FrameType.window, 1, u32(0))],
    ['grants more than its window holds', (guest) => guest.send(FrameType.window, 1, u32(1))],
    ['grants without measure', (guest) => guest.send(FrameType.window, 1, u32(0xffff_ffff))],
    [
      'leaves a channel number out',
      (guest) => guest.send(FrameType.connect, guestChannel + 1, agentApi),
    ],
    [
      'uses a channel number twice',
      (guest) => {
        guest.send(FrameType.connect, guestChannel, agentApi)
        guest.send(FrameType.connect, guestChannel, agentApi)
      },
    ],
    [
      'wants to connect to nowhere',
      (guest) => guest.send(FrameType.connect, guestChannel, Buffer.from([1, 0, 0])),
    ],
    [
      'opens and closes connections in a loop',
      (guest) => {
        for (let i = 0; i < 6000; i++) {
          guest.send(FrameType.connect, guestChannel + i, agentApi)
          guest.send(FrameType.close, guestChannel + i, Buffer.from('relay ECONNRESET'))
        }
      },
    ],
    [
      'opens connections without end',
      (guest) => {
        for (let i = 0; i < 257; i++) guest.send(FrameType.connect, guestChannel + i, agentApi)
      },
    ],
    [
      'has a second stream on a connection',
      (guest) => {
        guest.send(FrameType.connect, guestChannel, agentApi)
        guest.send(FrameType.data, guestChannel, Buffer.of(1), 1)
      },
    ],
    [
      'notices without end',
      (guest) => {
        for (let i = 0; i < 1100; i++) guest.send(FrameType.notice, 0, Buffer.from('\x01a.com'))
      },
    ],
    [
      'wants to connect to a name in an odd form',
      (guest) => guest.send(FrameType.connect, guestChannel, tcp('Evil.example')),
    ],
    [
      'wants to connect to a name that breaks lines',
      (guest) => guest.send(FrameType.connect, guestChannel, tcp('a.example\r\nx')),
    ],
    [
      'wants to connect to an address in an odd form',
      (guest) => guest.send(FrameType.connect, guestChannel, tcp('0x7f.1')),
    ],
    [
      'wants the proxy to connect somewhere',
      (guest) => guest.send(FrameType.connect, guestChannel, Buffer.from('\x02\x01\xbba.example')),
    ],
    [
      'wants to connect in a way that nobody knows',
      (guest) => guest.send(FrameType.connect, guestChannel, Buffer.from([3, 0, 0])),
    ],
    ['notices what nobody knows', (guest) => guest.send(FrameType.notice, 0, Buffer.from('\x04a'))],
    [
      'notices half an address',
      (guest) => guest.send(FrameType.notice, 0, Buffer.from([3, 6, 6, 0, 80, 1, 2, 3, 4])),
    ],
    [
      'notices denied connections without end',
      (guest) => {
        for (let i = 0; i < 1100; i++)
          guest.send(FrameType.notice, 0, Buffer.from([3, 6, 4, 0, 80, 8, 8, i >> 8, i & 255]))
      },
    ],
    [
      'notices a name with control characters',
      (guest) => guest.send(FrameType.notice, 0, Buffer.from('\x01\x1b[2J')),
    ],
  ]

  it.each(cases)('loses its session when it %s', async (_what, act) => {
    const { guest, session, process } = await withCommand()
    const reading = session.readFile('/f', 10, never)
    const stats = session.stats(never)
    const writing = session.writeFiles([{ path: '/g', content: Buffer.alloc(1 << 20) }], never)
    const settled = Promise.allSettled([reading, stats, writing])
    act(guest)
    expect(await session.ended).toBe('protocol_violation')
    expect(session.failure).toBeInstanceOf(Error)
    expect(await process.exit).toMatchObject({ code: undefined, cause: 'protocol_violation' })
    const ended = { kind: 'unavailable', code: 'sandbox.ended' }
    for (const outcome of await settled)
      expect(outcome).toMatchObject({ status: 'rejected', reason: ended })
    await expect(session.exec(command, never)).rejects.toMatchObject(ended)
    await Array.fromAsync(process.stdout)
  })

  it('does no more than that, whatever it sends in whatever order', async () => {
    const id = fc.constantFrom(0, 1, 2, 3, 4, guestChannel, guestChannel + 1, guestChannel + 2)
    const small = fc.uint8Array({ maxLength: 40 })
    const anything = fc.tuple(
      fc.constantFrom(...Object.values(FrameType)),
      id,
      small,
      fc.constantFrom(0, 0, 0, 1),
    )
    const plausible = fc.oneof(
      fc.tuple(
        fc.constantFrom(FrameType.data),
        id,
        fc.uint8Array({ minLength: 1, maxLength: 9 }),
        fc.constantFrom(0, 1),
      ),
      fc.tuple(
        fc.constantFrom(FrameType.end, FrameType.started),
        id,
        fc.constant(new Uint8Array()),
        fc.constant(0),
      ),
      fc.tuple(fc.constant(FrameType.exit), id, fc.constant(new Uint8Array(28)), fc.constant(0)),
      fc.tuple(
        fc.constant(FrameType.close),
        id,
        fc.constantFrom(new Uint8Array(), Buffer.from('open EIO')),
        fc.constant(0),
      ),
      fc.tuple(fc.constant(FrameType.connect), id, fc.constant(agentApi), fc.constant(0)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(plausible, plausible, anything), { maxLength: 30 }),
        async (frames) => {
          const { guest, session, process } = await withCommand()
          const settled = Promise.allSettled([
            session.exec(command, never),
            session.readFile('/f', 10, never),
            session.writeFiles([{ path: '/g', content: Buffer.alloc(100_000) }], never),
            session.stats(never),
          ])
          for (const [type, channel, payload, flags] of frames)
            guest.send(type, channel, payload, flags)
          await new Promise(setImmediate)
          session.close()
          const cause = await session.ended
          expect([undefined, 'protocol_violation']).toContain(cause)
          await Promise.all([settled, process.exit, Array.fromAsync(process.stdout)])
        },
      ),
      { numRuns: 150 },
    )
  })

  it('loses its session when it ends a command twice, which keeps its first end', async () => {
    const { guest, session, process } = await withCommand()
    finish(guest, 1)
    guest.send(FrameType.exit, 1, Buffer.alloc(28))
    expect(await session.ended).toBe('protocol_violation')
    expect(await process.exit).toMatchObject({ code: 0, cause: undefined })
  })

  it('is believed when it ends in the middle of a frame', async () => {
    const { guest, session, process } = await withCommand()
    guest.wire.write(Buffer.from([FrameType.data, 0, 0x10]))
    guest.wire.end()
    expect(await session.ended).toBe('sandbox_lost')
    expect(await process.exit).toMatchObject({ cause: 'sandbox_lost' })
  })
})
