import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { ByteStream, SandboxProcess } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { connectGuest } from './connect-guest.ts'
import type { GuestSession } from './guest-session.ts'
import {
  agentApi,
  command,
  configured,
  connectFakeGuest,
  type FakeGuest,
  finish,
  guestChannel,
  hello,
  makeFakeGuest,
  never,
  u32,
  withCommand,
} from './testing/fake-guest.ts'
import { FrameType } from './wire/frame.ts'
import { PAYLOAD_MAX_BYTES, WINDOW_LARGE_BYTES } from './wire/limits.ts'

const options = { onConnect: () => {}, outputLimitBytes: 1 << 20 }

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

  it('fails at once on a stream that is already gone', async () => {
    const { hostEnd } = makeFakeGuest()
    hostEnd.destroy()
    await once(hostEnd, 'close')
    await expect(connectGuest(hostEnd, options, never)).rejects.toMatchObject({
      code: 'guest.lost',
    })
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

  it('closes a connection without an error when it is destroyed while its reader waits', async () => {
    const streams: ByteStream[] = []
    const { guest, session } = await connectFakeGuest({
      onConnect: (_t, stream) => void streams.push(stream),
    })
    guest.send(FrameType.connect, guestChannel, agentApi)
    await expect.poll(() => streams.length).toBe(1)
    const stream = streams[0] as unknown as Duplex
    const closed = once(stream, 'close')
    stream.resume()
    await new Promise(setImmediate)
    stream.destroy()
    await closed
    expect(stream.errored).toBeNull()
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
  guest.send(FrameType.statsReply, 0, Buffer.concat([payload, Buffer.alloc(44)]))
  expect(await asking).toMatchObject({ cpuMs: 0 })
}

async function textOf(stream: SandboxProcess['stdout']): Promise<string> {
  return Buffer.concat(await Array.fromAsync(stream)).toString()
}
