import { once } from 'node:events'
import type { ByteStream, SandboxProcess } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connectGuest } from './connect-guest.ts'
import type { GuestSession } from './guest-session.ts'
import {
  configured,
  connectFakeGuest,
  type FakeGuest,
  hello,
  makeFakeGuest,
} from './testing/fake-guest.ts'
import { FrameType } from './wire/frame.ts'
import { PAYLOAD_MAX_BYTES, WINDOW_LARGE_BYTES } from './wire/limits.ts'

const never = new AbortController().signal
const command = { argv: ['x'], env: {}, cwd: '/' } as const
const options = { onConnect: () => {}, outputLimitBytes: 1 << 20 }
const guestChannel = 0x8000_0001
const agentApi = Buffer.from([0, 0, 0])
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A session with one command that runs on channel 1. */
async function withCommand(limits: { outputLimitBytes?: number } = {}) {
  const { guest, session } = await connectFakeGuest(limits)
  const starting = session.exec(command, never)
  await guest.next(FrameType.exec)
  guest.send(FrameType.started, 1)
  return { guest, session, process: await starting }
}

describe('the handshake', () => {
  it.each([
    [
      'another version',
      (guest: FakeGuest) => guest.send(FrameType.hello, 0, hello(99)),
      /version 99/,
    ],
    [
      'another magic',
      (guest: FakeGuest) => guest.send(FrameType.hello, 0, Buffer.alloc(8)),
      /hello/,
    ],
    ['garbage', (guest: FakeGuest) => void guest.wire.write('GET / HTTP/1.1\r\n\r\n'), /type 71/],
    [
      'an answer before the question',
      (guest: FakeGuest) => guest.send(FrameType.configured, 0, configured),
      /turn/,
    ],
    ['its end', (guest: FakeGuest) => void guest.wire.destroy(), /before it was ready/],
  ])('fails when the guest begins with %s', async (_what, act, message) => {
    const { guest, hostEnd } = makeFakeGuest()
    const connecting = connectGuest(hostEnd, options, never)
    act(guest)
    await expect(connecting).rejects.toMatchObject({ kind: 'unavailable', code: 'guest.lost' })
    await expect(connecting).rejects.toThrow(message)
    expect(hostEnd.destroyed).toBe(true)
  })

  it('fails when the guest says nothing in time', async () => {
    const { hostEnd } = makeFakeGuest()
    await expect(
      connectGuest(hostEnd, { ...options, helloTimeoutMs: 20 }, never),
    ).rejects.toMatchObject({ kind: 'timeout', code: 'guest.timeout' })
    expect(hostEnd.destroyed).toBe(true)
  })

  it('ends when it is no longer wanted', async () => {
    const { hostEnd } = makeFakeGuest()
    const controller = new AbortController()
    const connecting = connectGuest(hostEnd, options, controller.signal)
    controller.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
    expect(hostEnd.destroyed).toBe(true)
  })

  it('fails when the agent API has no port inside', async () => {
    const { guest, hostEnd } = makeFakeGuest()
    const connecting = connectGuest(hostEnd, options, never)
    guest.send(FrameType.hello, 0, hello())
    guest.send(FrameType.configured, 0, Buffer.from([0, 1, ...Buffer.from('EADDRINUSE')]))
    await expect(connecting).rejects.toMatchObject({ code: 'guest.listener' })
  })
})

describe('a guest that breaks the protocol', () => {
  type Act = (guest: FakeGuest) => void
  const chunk = Buffer.alloc(PAYLOAD_MAX_BYTES)
  const cases: readonly (readonly [string, Act])[] = [
    ['says hello again', (guest) => guest.send(FrameType.hello, 0, hello())],
    ['answers a ping that nobody sent', (guest) => guest.send(FrameType.pong, 0, Buffer.alloc(8))],
    [
      'reports usage that nobody asked for',
      (guest) => guest.send(FrameType.statsReply, 0, Buffer.alloc(32)),
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

describe('output', () => {
  it('is delivered up to the limit and not one byte beyond, and then the session ends', async () => {
    const { guest, session, process } = await withCommand({ outputLimitBytes: 10 })
    guest.send(FrameType.data, 1, Buffer.from('12345'), 1)
    guest.send(FrameType.data, 1, Buffer.from('abcdefgh'))
    expect(await session.ended).toBe('output_limit')
    expect(await textOf(process.stdout)).toBe('abcde')
    expect(await textOf(process.stderr)).toBe('12345')
    expect((await process.exit).cause).toBe('output_limit')
  })

  it('that was read is credited back, and output that was not is not', async () => {
    const { guest, process } = await withCommand()
    const chunk = Buffer.alloc(PAYLOAD_MAX_BYTES, 'x')
    for (let i = 0; i < 4; i++) guest.send(FrameType.data, 1, chunk, i % 2)
    const output = process.stdout[Symbol.asyncIterator]()
    await output.next()
    await output.next()
    for (let i = 0; i < 2; i++) guest.send(FrameType.data, 1, chunk)
    await output.next()
    const { flags, payload } = await guest.next(FrameType.window)
    expect([flags, payload.readUInt32BE(0)]).toEqual([0, 3 * PAYLOAD_MAX_BYTES])
  })

  it('that nobody wants any more no longer holds the command back', async () => {
    const { guest, process } = await withCommand({ outputLimitBytes: 1 << 24 })
    guest.send(FrameType.data, 1, Buffer.from('first'))
    for await (const _ of process.stdout) break
    let credit = WINDOW_LARGE_BYTES - 256
    for (let sent = 0; sent < 4 * WINDOW_LARGE_BYTES; sent += PAYLOAD_MAX_BYTES) {
      if (credit < PAYLOAD_MAX_BYTES)
        credit += (await guest.next(FrameType.window)).payload.readUInt32BE(0)
      guest.send(FrameType.data, 1, Buffer.alloc(PAYLOAD_MAX_BYTES))
      credit -= PAYLOAD_MAX_BYTES
    }
    finish(guest, 1)
    expect((await process.exit).code).toBe(0)
  })
})

describe('input', () => {
  it('waits for credit, goes on with it, and ends behind what was written', async () => {
    const { guest, process } = await withCommand()
    let accepted = false
    const writing = process.writeStdin(Buffer.alloc(2 * PAYLOAD_MAX_BYTES + 1)).then(() => {
      accepted = true
    })
    process.closeStdin()
    for (let i = 0; i < 2; i++)
      expect((await guest.next(FrameType.data)).payload.length).toBe(PAYLOAD_MAX_BYTES)
    expect(accepted).toBe(false) // 16 bytes of credit are left, and a frame costs 256.
    guest.send(FrameType.window, 1, u32(256))
    await writing
    expect((await guest.next(FrameType.data)).payload.length).toBe(1)
    await guest.next(FrameType.end)
  })

  it('is let go quietly when the command ends', async () => {
    const { guest, process } = await withCommand()
    const writing = process.writeStdin(Buffer.alloc(1 << 20))
    finish(guest, 1)
    await writing
    await process.writeStdin(Buffer.from('late'))
  })
})

describe('the session', () => {
  it('ends as unresponsive when a ping is not answered', async () => {
    const { session } = await connectFakeGuest({ pingIntervalMs: 5, pingTimeoutMs: 20 })
    expect(await session.ended).toBe('guest_unresponsive')
  })

  it('lives as long as pings are answered', async () => {
    const { guest, session } = await connectFakeGuest({ pingIntervalMs: 1, pingTimeoutMs: 1000 })
    for (let i = 0; i < 5; i++)
      guest.send(FrameType.pong, 0, (await guest.next(FrameType.ping)).payload)
    session.close()
    expect(await session.ended).toBeUndefined()
  })

  it('may be closed twice, and tells commands that nothing but that was the cause', async () => {
    const { session, process } = await withCommand()
    session.close()
    session.close()
    expect(await session.ended).toBeUndefined()
    expect(await process.exit).toMatchObject({ code: undefined, cause: undefined })
    await expect(session.stats(never)).rejects.toMatchObject({ code: 'sandbox.ended' })
  })

  it('runs 64 commands at once and refuses the next', async () => {
    const { guest, session } = await connectFakeGuest()
    const starting = Array.from({ length: 64 }, () => session.exec(command, never))
    await expect(session.exec(command, never)).rejects.toMatchObject({ code: 'sandbox.channels' })
    for (let id = 1; id <= 64; id++) {
      guest.send(FrameType.started, id)
      finish(guest, id)
    }
    await Promise.all(starting)
    const again = session.exec(command, never)
    guest.send(FrameType.started, 65)
    await again
  })

  it('gives a connection that its handler destroyed back as reset, and one that ended as closed', async () => {
    const streams: ByteStream[] = []
    const { guest, session } = await connectFakeGuest({
      onConnect: (_t, stream) => void streams.push(stream),
    })
    guest.send(FrameType.connect, guestChannel, agentApi)
    guest.send(FrameType.connect, guestChannel + 1, agentApi)
    await expect.poll(() => streams.length).toBe(2)
    streams[0]?.destroy()
    expect((await guest.next(FrameType.close)).payload.toString()).toBe('relay ECONNRESET')
    const second = streams[1] as unknown as NodeJS.ReadWriteStream
    second.resume()
    second.end()
    await guest.next(FrameType.end)
    guest.send(FrameType.end, guestChannel + 1)
    guest.send(FrameType.close, guestChannel + 1)
    await once(second, 'close')
    expect((await guest.next(FrameType.close)).payload.toString()).toBe('')
    await stillWorks(guest, session)
  })

  it('does not end the daemon when a guest resets a connection that nobody watches', async () => {
    const streams: ByteStream[] = []
    const { guest, session } = await connectFakeGuest({
      onConnect: (_t, stream) => void streams.push(stream),
    })
    guest.send(FrameType.connect, guestChannel, agentApi)
    guest.send(FrameType.close, guestChannel, Buffer.from('relay ECONNRESET'))
    await guest.next(FrameType.close)
    await stillWorks(guest, session)
  })
})

async function stillWorks(guest: FakeGuest, session: GuestSession): Promise<void> {
  const asking = session.stats(never)
  const { payload } = await guest.next(FrameType.stats)
  guest.send(FrameType.statsReply, 0, Buffer.concat([payload, Buffer.alloc(28)]))
  expect(await asking).toMatchObject({ cpuMs: 0 })
}

function finish(guest: FakeGuest, channel: number): void {
  guest.send(FrameType.end, channel)
  guest.send(FrameType.end, channel, undefined, 1)
  guest.send(FrameType.exit, channel, Buffer.alloc(28))
  guest.send(FrameType.close, channel)
}

async function textOf(stream: SandboxProcess['stdout']): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString()
}
