import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openDnsServer } from '../testing/open-dns-server.ts'
import {
  type EgressScene,
  type EgressSceneOptions,
  openEgressScene,
  openLoopbackServer,
} from '../testing/open-egress-scene.ts'
import type { Destination } from './egress-session.ts'
import { makeNameResolver } from './name-resolver.ts'

const never = new AbortController().signal

const permitted = (port: number, host = 'db.test'): Destination => ({
  host,
  port,
  via: 'name',
  reading: 'inspected',
  decision: { allow: true, policies: ['db.test'], because: 'A rule covers it.' },
})

const sceneFor = (port: number, options: EgressSceneOptions = {}): EgressScene =>
  openEgressScene({
    allow: [`db.test:${port}`, `127.0.0.0/8:${port}`, `[::1]:${port}`],
    names: { 'db.test': ['127.0.0.1'] },
    ...options,
  })

describe('a connection', () => {
  it('is recorded durably before it is dialled', async () => {
    const order: string[] = []
    await using server = await openLoopbackServer(() => void order.push('dialled'))
    using scene = sceneFor(server.port)
    const recorded = Promise.withResolvers<void>()
    scene.recording.connecting = async () => {
      order.push('recording')
      await recorded.promise
      order.push('recorded')
    }

    const dialling = scene.session.dial(permitted(server.port), never)
    await expect.poll(() => order).toEqual(['recording'])
    expect(server.sockets).toEqual([])
    recorded.resolve()
    await dialling
    await expect.poll(() => order).toEqual(['recording', 'recorded', 'dialled'])
  })

  it('that cannot be recorded is not dialled', async () => {
    await using server = await openLoopbackServer(() => undefined)
    using scene = sceneFor(server.port)
    scene.recording.connecting = () => Promise.reject(new Error('the store is full'))

    await expect(scene.session.dial(permitted(server.port), never)).rejects.toThrow('store is full')

    expect(server.sockets).toEqual([])
    expect(scene.recording.ended).toEqual([])
  })

  it('tells its bytes both ways, its requests, and its end exactly once', async () => {
    await using server = await openLoopbackServer((socket) => {
      socket.once('data', () => socket.end('12345678'))
    })
    using scene = sceneFor(server.port)

    const upstream = await scene.session.dial(permitted(server.port), never)
    upstream.stream.write('123')
    upstream.stream.resume()
    await once(upstream.stream, 'end')
    upstream.end({ requests: 1 })
    upstream.end({ cause: 'egress.too-late' })
    upstream.stream.destroy()

    expect(upstream).toMatchObject({ connection: 1, host: 'db.test', address: '127.0.0.1' })
    await expect.poll(() => scene.recording.ended).toHaveLength(1)
    expect(scene.recording.ended).toEqual([
      {
        connection: 1,
        host: 'db.test',
        port: server.port,
        bytesOut: 3,
        bytesIn: 8,
        durationMs: expect.any(Number),
        requests: 1,
      },
    ])
  })

  it('tells the requests of who learns of its end by its close', async () => {
    await using server = await openLoopbackServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    })
    using scene = sceneFor(server.port)
    const upstream = await scene.session.dial(permitted(server.port), never)
    upstream.stream.once('close', () => upstream.end({ requests: 7 }))
    upstream.stream.write('hello')
    await expect.poll(() => scene.recording.ended).toMatchObject([{ requests: 7 }])
  })

  it('ends with the sandbox, and says so', async () => {
    await using server = await openLoopbackServer(() => undefined)
    const scene = sceneFor(server.port)
    const upstream = await scene.session.dial(permitted(server.port), never)
    scene[Symbol.dispose]()
    await once(upstream.stream, 'close')
    expect(scene.recording.ended).toMatchObject([{ cause: 'egress.sandbox-ended' }])
    await expect(scene.session.dial(permitted(server.port), never)).rejects.toThrow()
    expect(scene.recording.started).toHaveLength(1)
  })

  it('goes to the next address when one does not answer, each with a record of its own', async () => {
    await using server = await openLoopbackServer(() => undefined, '127.0.0.2')
    using scene = sceneFor(server.port, { names: { 'db.test': ['127.0.0.1', '127.0.0.2'] } })

    const upstream = await scene.session.dial(permitted(server.port), never)

    expect(upstream.address).toBe('127.0.0.2')
    expect(scene.recording.started.map(({ connection, address }) => [connection, address])).toEqual(
      [
        [1, '127.0.0.1'],
        [2, '127.0.0.2'],
      ],
    )
    expect(scene.recording.ended).toMatchObject([{ connection: 1, cause: 'egress.unreachable' }])
  })

  it('to nobody says why, and gives its place back', async () => {
    const server = await openLoopbackServer(() => undefined)
    await server[Symbol.asyncDispose]()
    using scene = sceneFor(server.port, { limits: { connections: 1 } })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(scene.session.dial(permitted(server.port), never)).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'egress.unreachable',
        message: `127.0.0.1:${server.port} cannot be reached: ECONNREFUSED.`,
      })
    }
  })

  it('to a name without an address is told to the agent', async () => {
    using scene = sceneFor(80, { resolver: makeNameResolver({ servers: [] }) })
    await expect(scene.session.dial(permitted(80, 'x.invalid'), never)).rejects.toMatchObject({
      code: 'egress.unresolved',
    })
    expect(scene.recording.denials).toMatchObject([
      {
        subject: 'x.invalid:80',
        code: 'egress.unresolved',
        reason: expect.stringMatching(/x\.invalid/),
      },
    ])
  })
})

describe('the addresses of a name', () => {
  it('that are forbidden are left out, and only the others are dialled', async () => {
    await using server = await openLoopbackServer(() => undefined, '127.0.0.2')
    using scene = sceneFor(server.port, {
      names: { 'db.test': ['169.254.169.254', '10.0.0.1', '127.0.0.2', '::ffff:192.168.1.1'] },
    })
    await scene.session.dial(permitted(server.port), never)
    expect(scene.recording.started).toMatchObject([{ connection: 1, address: '127.0.0.2' }])
  })

  it('that are all forbidden are refused with the reason of the first', async () => {
    using scene = sceneFor(80, { names: { 'db.test': ['169.254.169.254', '10.0.0.1'] } })
    await expect(scene.session.dial(permitted(80), never)).rejects.toMatchObject({
      kind: 'denied',
      code: 'egress.metadata-address',
    })
    expect(scene.recording.denials).toMatchObject([
      {
        action: 'network.connect',
        subject: 'db.test:80',
        code: 'egress.metadata-address',
        reason: expect.stringContaining('db.test leads to 169.254.169.254'),
      },
    ])
    expect(scene.recording.started).toEqual([])
  })

  it('are judged with those that this host has at that moment', async () => {
    using scene = sceneFor(80, { names: { 'db.test': ['8.8.4.4'] }, own: ['8.8.4.4'] })
    await expect(scene.session.dial(permitted(80), never)).rejects.toMatchObject({
      code: 'egress.own-address',
    })
  })

  it('may change from one connection to the next, and are checked each time', async () => {
    await using server = await openLoopbackServer(() => undefined)
    const answers = ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::1']
    await using dns = await openDnsServer((_name, type) => {
      if (type === 'AAAA') return {}
      const next = answers.shift() ?? ''
      return next.includes(':') ? 'absent' : { a: [next] }
    })
    using scene = sceneFor(server.port, { resolver: makeNameResolver({ servers: [dns.address] }) })

    await scene.session.dial(permitted(server.port), never)
    const codes: unknown[] = []
    for (let flip = 0; flip < 3; flip += 1) {
      await scene.session.dial(permitted(server.port), never).catch(({ code }) => codes.push(code))
    }

    expect(codes).toEqual([
      'egress.private-address',
      'egress.metadata-address',
      'egress.unresolved',
    ])
    expect(scene.recording.started).toHaveLength(1)
    expect(server.sockets).toHaveLength(1)
  })
})

describe('a budget', () => {
  it('cuts an endless answer at its last byte, and says what to raise', async () => {
    const block = Buffer.alloc(64 * 1024, 'x')
    await using server = await openLoopbackServer((socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(block));
      }
      socket.on('drain', pour)
      pour()
    })
    const most = 1_000_000
    using scene = sceneFor(server.port, { limits: { hostBytesIn: most } })

    const upstream = await scene.session.dial(permitted(server.port), never)
    let received = 0
    upstream.stream.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    await once(upstream.stream, 'close')

    expect(received).toBeLessThanOrEqual(most)
    expect(received).toBeGreaterThan(most - 2 * block.length)
    const cause = 'egress.budget-host-bytes-in'
    expect(scene.recording.ended).toMatchObject([{ bytesIn: received, cause }])
    expect(scene.recording.denials).toMatchObject([
      {
        code: cause,
        subject: `db.test:${server.port}`,
        reason: expect.stringMatching(
          /1000000 bytes.*spec\.security\.network\.limits\.host_bytes_in/,
        ),
      },
    ])
    await expect(scene.session.dial(permitted(server.port), never)).rejects.toMatchObject({
      kind: 'denied',
      code: cause,
    })
  })

  it('lets nothing out beyond it', async () => {
    let received = 0
    await using server = await openLoopbackServer((socket) => {
      socket.on('data', (chunk) => {
        received += chunk.length
      })
    })
    using scene = sceneFor(server.port, { limits: { bytesOut: 100_000 } })

    const upstream = await scene.session.dial(permitted(server.port), never)
    upstream.stream.write(Buffer.alloc(60_000))
    upstream.stream.write(Buffer.alloc(60_000))
    await once(upstream.stream, 'close')

    await expect.poll(() => scene.recording.ended).toMatchObject([{ bytesOut: 60_000 }])
    expect(received).toBeLessThanOrEqual(60_000)
  })

  it('of connections at a time has room again when one ends', async () => {
    await using server = await openLoopbackServer((socket) => void socket.resume())
    using scene = sceneFor(server.port, { limits: { connections: 1 } })
    const first = await scene.session.dial(permitted(server.port), never)
    await expect(scene.session.dial(permitted(server.port), never)).rejects.toMatchObject({
      code: 'egress.budget-connections',
    })
    first.end()
    await scene.session.dial(permitted(server.port), never)
  })

  it('of bytes a second slows both directions down, and loses nothing', async () => {
    await using server = await openLoopbackServer((socket) => {
      socket.pipe(socket)
    })
    using scene = sceneFor(server.port, { limits: { bytesPerSecond: 400_000 } })
    const upstream = await scene.session.dial(permitted(server.port), never)
    const started = performance.now()
    let received = 0
    upstream.stream.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    upstream.stream.end(Buffer.alloc(300_000))
    await once(upstream.stream, 'end')
    // A quarter of a second's worth comes at once.
    expect(performance.now() - started).toBeGreaterThan(400)
    expect(received).toBe(300_000)
  })
})

describe('a connection on which', () => {
  it('nothing moves ends by the idle time-out', async () => {
    await using server = await openLoopbackServer(() => undefined)
    using scene = sceneFor(server.port, { limits: { idleTimeoutMs: 60 } })
    const upstream = await scene.session.dial(permitted(server.port), never)
    await once(upstream.stream, 'close')
    expect(scene.recording.ended).toMatchObject([{ cause: 'egress.idle-timeout' }])
  })

  it('something always moves ends by the total time-out', async () => {
    await using server = await openLoopbackServer((socket) => {
      const dripping = setInterval(() => socket.write('x'), 5)
      socket.once('close', () => clearInterval(dripping))
    })
    const limits = { idleTimeoutMs: 100, totalTimeoutMs: 300 }
    using scene = sceneFor(server.port, { limits })
    const upstream = await scene.session.dial(permitted(server.port), never)
    upstream.stream.resume()
    await once(upstream.stream, 'close')
    expect(scene.recording.ended).toMatchObject([{ cause: 'egress.total-timeout' }])
    expect(scene.recording.ended[0]?.bytesIn).toBeGreaterThan(3)
  })
})

it('holds back a server whose bytes nobody reads', async () => {
  const block = Buffer.alloc(64 * 1024)
  let poured = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    const pour = (): void => {
      do poured += block.length
      while (socket.write(block) && poured < 2 ** 30)
    }
    socket.on('drain', pour)
    pour()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  using scene = sceneFor(port)
  const upstream = await scene.session.dial(permitted(port), never)
  upstream.stream.once('data', () => upstream.stream.pause())
  let before = -1
  // What the system's buffers hold comes to rest.
  await expect
    .poll(() => {
      const rests = poured === before
      before = poured
      return rests
    })
    .toBe(true)
  expect(upstream.stream.readableLength).toBeLessThanOrEqual(128 * 1024)
  upstream.end()
  server.close()
})
