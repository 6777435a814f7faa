import { once } from 'node:events'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect, createServer } from 'node:tls'
import { Secret } from '@aegis/core'
import { describe, expect, it, vi } from 'vitest'
import { makeCertificateAuthority } from '../inspect/certificates/certificate-authority.ts'
import { limits } from '../limits.ts'
import { aClientHello, recordsOf } from '../testing/a-client-hello.ts'
import {
  type EgressSceneOptions,
  openEgressScene,
  openLoopbackServer,
  ruleOf,
} from '../testing/open-egress-scene.ts'

const names = { 'db.test': ['127.0.0.1'] }

/** `db.test` on that port, and the loopback behind it. */
const reaching = (port: number, more: EgressSceneOptions = {}): EgressSceneOptions => ({
  allow: [`db.test:${port}`, `127.0.0.1:${port}`],
  names,
  ...more,
})

const openEcho = () => openLoopbackServer((socket) => socket.pipe(socket))
const helloTo = (serverName: string | undefined, encrypted = false): Buffer =>
  recordsOf(aClientHello({ serverName, encrypted }), 16_384)

/** Waits for the reset of a client that may have been sent something before. */
async function cut(client: Duplex): Promise<void> {
  client.resume()
  if (!client.destroyed) await once(client, 'close')
}

describe('a protocol that is not read', () => {
  it('passes both ways to a permitted name, and its end too', async () => {
    await using server = await openEcho()
    const { port } = server
    using scene = openEgressScene(reaching(port))

    const client = scene.tunnel({ host: 'db.test', port })
    client.end('\x00\x01ping')

    expect(await text(client)).toBe('\x00\x01ping')
    expect(scene.recording.started).toEqual([
      {
        connection: 1,
        host: 'db.test',
        port,
        address: '127.0.0.1',
        via: 'name',
        reading: 'opaque',
        policies: [`db.test:${port}`],
      },
    ])
    await expect
      .poll(() => scene.recording.ended)
      .toMatchObject([{ connection: 1, host: 'db.test', port, bytesOut: 6, bytesIn: 6 }])
    expect(scene.recording.ended[0]).not.toHaveProperty('cause')
    expect(scene.recording.denials).toEqual([])
  })

  it('passes large amounts, held back by the slower end, without loss', async () => {
    await using server = await openEcho()
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    const bytes = 8 * 1024 * 1024
    let received = 0
    client.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    client.end(Buffer.alloc(bytes, 7))
    await once(client, 'end')
    expect(received).toBe(bytes)
  })

  it('may be one in which the server speaks first', async () => {
    await using server = await openLoopbackServer((socket) => {
      socket.write('220 mail ready\r\n')
      socket.once('data', (chunk) => socket.end(`got ${chunk}`))
    })
    using scene = openEgressScene(reaching(server.port))

    const client = scene.tunnel({ host: 'db.test', port: server.port })
    const [banner] = await once(client, 'data')
    client.end('EHLO me\r\n')

    expect(String(banner)).toBe('220 mail ready\r\n')
    expect(await text(client)).toBe('got EHLO me\r\n')
  })

  it('may be one in which the client says nothing at all', async () => {
    await using server = await openLoopbackServer((socket) => socket.end('the time is now'))
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    client.end()
    expect(await text(client)).toBe('the time is now')
  })

  it('is refused to a host that no rule permits, before any look-up', async () => {
    using scene = openEgressScene({ names })

    await cut(scene.tunnel({ host: 'db.test', port: 5432 }))

    expect(scene.lookedUp).toEqual([])
    expect(scene.recording.denials).toMatchObject([
      { action: 'network.connect', subject: 'db.test:5432', code: 'egress.no-rule' },
    ])
  })

  it.each([
    [80, 'egress.not-http', 'HTTP'],
    [443, 'egress.not-tls', 'TLS'],
  ])('is refused on port %i unless a rule names the port', async (port, code, protocol) => {
    using scene = openEgressScene({ allow: ['db.test'], names })
    const client = scene.tunnel({ host: 'db.test', port })
    client.write('SSH-2.0-x\r\n')
    await cut(client)
    expect(scene.recording.denials).toMatchObject([
      { code, reason: expect.stringContaining(`the client has to speak ${protocol}`) },
    ])
    expect(scene.lookedUp).toEqual([])

    using named = openEgressScene({ allow: [`db.test:${port}`], names })
    const other = named.tunnel({ host: 'db.test', port })
    other.write('SSH-2.0-x\r\n')
    await cut(other)
    expect(named.lookedUp).toEqual(['db.test'])
  })

  it('is refused where the rules permit certain requests alone', async () => {
    const http = { ...ruleOf('db.test:5432'), http: { methods: ['GET'] } }
    using scene = openEgressScene({ rules: [http], names })
    for (const words of ['\x00\x01', helloTo('db.test')]) {
      const client = scene.tunnel({ host: 'db.test', port: 5432 })
      client.write(words)
      await cut(client)
    }
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.no-requests' }])
    expect(scene.lookedUp).toEqual([])
  })

  it('cannot carry the placeholder of a secret, in whatever pieces', async () => {
    let received = ''
    await using server = await openLoopbackServer((socket) => {
      socket.on('data', (chunk) => {
        received += chunk.toString()
      })
    })
    const placeholder = `aegis-secret-${'0123456789abcdef'.repeat(2)}`
    const secret = {
      name: 'github',
      agents: ['*'],
      places: ['bearer'] as const,
      hosts: [],
      value: new Secret('ghp_real'),
      placeholder,
    }
    using scene = openEgressScene(reaching(server.port, { identity: { secrets: [secret] } }))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    client.on('error', () => undefined)
    client.write('\x00take this: ')
    for (const letter of placeholder) client.write(letter)
    await cut(client)

    expect(received).not.toContain(placeholder.slice(0, 14))
    expect(scene.recording.denials).toMatchObject([
      { action: 'secret.use', subject: `github -> db.test:${server.port}`, code: 'secret.leaked' },
    ])
    expect(scene.recording.ended).toMatchObject([{ cause: 'secret.leaked' }])
  })
})

describe('TLS that passes unread', () => {
  it('reaches its server under the name that is permitted, end to end', async () => {
    const authority = makeCertificateAuthority({ nodeName: 'test' })
    const server = createServer({
      SNICallback: (name, done) => done(null, authority.contextFor(name)),
    })
    server.on('secureConnection', (socket) => socket.pipe(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    using scene = openEgressScene(reaching(port))

    const socket = scene.tunnel({ host: 'DB.test', port })
    const client = connect({ socket, servername: 'db.test', ca: authority.certificate })
    client.end('hello')

    expect(await text(client)).toBe('hello')
    expect(scene.recording.started).toMatchObject([{ host: 'db.test', reading: 'opaque' }])
    server.close()
  })

  it.each([
    ['another name', helloTo('evil.test'), 'egress.sni-mismatch'],
    ['a name below', helloTo('x.db.test'), 'egress.sni-mismatch'],
    ['a name that only begins so', helloTo('db.test.evil.test'), 'egress.sni-mismatch'],
    ['a name with a NUL', helloTo('db.test\0.evil.test'), 'egress.malformed'],
    ['no name', helloTo(undefined), 'egress.sni-absent'],
    ['an address', helloTo('127.0.0.1'), 'egress.sni-mismatch'],
    ['a hidden name', helloTo('db.test', true), 'egress.encrypted-hello'],
  ])('is refused before any look-up when it asks for %s', async (_name, hello, code) => {
    using scene = openEgressScene(reaching(8443))
    const client = scene.tunnel({ host: 'db.test', port: 8443 })
    client.write(hello)
    await cut(client)
    expect(scene.recording.denials).toMatchObject([{ subject: 'db.test:8443', code }])
    expect([scene.lookedUp, scene.recording.started]).toEqual([[], []])
  })

  it('to an address may name nobody, or a name that is permitted on that port', async () => {
    await using server = await openEcho()
    const { port } = server
    using scene = openEgressScene(reaching(port))
    for (const hello of [helloTo(undefined), helloTo('DB.test')]) {
      const client = scene.tunnel({ host: '127.0.0.1', port, via: 'address' })
      client.write(hello)
      const [echoed] = await once(client, 'data')
      expect(echoed).toEqual(hello)
    }
    const client = scene.tunnel({ host: '127.0.0.1', port, via: 'address' })
    client.write(helloTo('evil.test'))
    await cut(client)
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.sni-mismatch' }])
    expect(scene.recording.started).toHaveLength(2)
  })

  it('is not fooled by a hello that comes late', async () => {
    await using server = await openLoopbackServer((socket) => void socket.resume())
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    await expect.poll(() => server.sockets.length).toBe(1)
    client.write(helloTo('evil.test'))
    await cut(client)

    expect(scene.recording.denials).toMatchObject([{ code: 'egress.sni-mismatch' }])
    expect(scene.recording.ended).toMatchObject([{ bytesOut: 0, cause: 'egress.sni-mismatch' }])
  })

  it('is cut at a second hello with another name', async () => {
    await using server = await openEcho()
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    const hello = helloTo('db.test')
    client.write(hello)
    await once(client, 'data')
    client.write(Buffer.concat([Buffer.of(20, 3, 3, 0, 1, 1), helloTo('evil.test')]))
    await cut(client)

    expect(scene.recording.denials).toMatchObject([{ code: 'egress.sni-mismatch' }])
    await expect.poll(() => scene.recording.ended).toMatchObject([{ bytesOut: hello.length }])
  })
})

describe('what has to be read', () => {
  it.each([
    ['a request of HTTP', 'GET / HTTP/1.1\r\n\r\n', 5432],
    ['a request of HTTP', 'GET / HTTP/1.1\r\n\r\n', 443],
    ['a request behind empty lines', '\r\n\r\nGET / HTTP/1.1\r\n\r\n', 80],
  ])('%s goes to the inspector, from its first byte on', async (_name, words, port) => {
    using scene = openEgressScene({ allow: ['db.test', 'db.test:5432'], names })
    const client = scene.tunnel({ host: 'DB.test.', port })
    client.end(words)
    await expect
      .poll(() => scene.inspected)
      .toMatchObject([{ as: 'http', target: { host: 'db.test', port, via: 'name' } }])
    const [{ stream } = { stream: client }] = scene.inspected
    expect(await text(stream)).toBe(words)
    expect(scene.lookedUp).toEqual([])
  })

  it('TLS goes to the inspector where it says so, with its hello', async () => {
    using scene = openEgressScene({
      allow: ['db.test'],
      names,
      inspector: { opensTls: (_session, host, port) => host === 'db.test' && port === 443 },
    })
    const client = scene.tunnel({ host: 'db.test', port: 443 })
    const hello = helloTo('db.test', true)
    client.write(hello)
    await expect.poll(() => scene.inspected).toMatchObject([{ as: 'tls' }])
    expect(scene.inspected[0]?.stream.read()).toEqual(hello)
  })

  it('is taken from a server that has not spoken yet, when its client is slow', async () => {
    await using server = await openLoopbackServer((socket) => void socket.resume())
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    await expect.poll(() => server.sockets.length).toBe(1)
    client.end('GET / HTTP/1.1\r\n\r\n')
    await expect.poll(() => scene.inspected).toMatchObject([{ as: 'http' }])

    const [{ stream } = { stream: client }] = scene.inspected
    expect(await text(stream)).toBe('GET / HTTP/1.1\r\n\r\n')
    expect(scene.recording.ended).toMatchObject([{ bytesOut: 0, cause: 'egress.read-instead' }])
  })

  it('is refused once the server has spoken', async () => {
    await using server = await openLoopbackServer((socket) => void socket.write('220 hello\r\n'))
    using scene = openEgressScene(reaching(server.port))
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    await once(client, 'data')
    client.write('GET / HTTP/1.1\r\n\r\n')
    await cut(client)
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.late-request' }])
    expect(scene.recording.ended).toMatchObject([{ bytesOut: 0, cause: 'egress.late-request' }])
  })

  it('HTTP/2 without TLS is refused', async () => {
    using scene = openEgressScene(reaching(8080))
    const client = scene.tunnel({ host: 'db.test', port: 8080 })
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    await cut(client)
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.http2-cleartext' }])
  })
})

describe('a slow client', () => {
  it.each([
    ['a ClientHello', helloTo('db.test')],
    ['a request', Buffer.from('GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n')],
  ])('that sends %s byte by byte is cut after 10 seconds', async (_name, words) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      using scene = openEgressScene(reaching(8443))
      const client = scene.tunnel({ host: 'db.test', port: 8443 })
      const closed = once(client, 'close')
      client.resume()
      for (let second = 0; second < 12 && !client.destroyed; second += 1) {
        client.write(words.subarray(second, second + 1))
        await new Promise((resolve) => setImmediate(resolve))
        vi.advanceTimersByTime(1000)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await closed
      expect(scene.recording.denials).toMatchObject([
        {
          code: 'egress.first-bytes',
          reason: expect.stringContaining('only a part came'),
        },
      ])
      expect(scene.lookedUp).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })

  it('that never begins, where it has to, is cut after 10 seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      using scene = openEgressScene({ allow: ['db.test'], names })
      const client = scene.tunnel({ host: 'db.test', port: 443 })
      vi.advanceTimersByTime(limits.firstBytesMs)
      await cut(client)
      expect(scene.recording.denials).toMatchObject([{ code: 'egress.first-bytes' }])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a client that', () => {
  it('leaves while its server is dialled ends the connection', async () => {
    await using server = await openEcho()
    using scene = openEgressScene(reaching(server.port))
    const recorded = Promise.withResolvers<void>()
    scene.recording.connecting = () => recorded.promise
    const client = scene.tunnel({ host: 'db.test', port: server.port })
    client.write('\x00')
    await expect.poll(() => scene.lookedUp).toHaveLength(1)
    scene[Symbol.dispose]()
    recorded.resolve()
    await expect.poll(() => scene.recording.ended).toHaveLength(1)
    expect(server.sockets).toEqual([])
  })

  it('resets takes its server with it, and a server that resets takes its client', async () => {
    await using server = await openEcho()
    using scene = openEgressScene(reaching(server.port))
    const first = scene.tunnel({ host: 'db.test', port: server.port })
    first.write('\x00')
    await once(first, 'data')
    first.destroy()
    await expect.poll(() => scene.recording.ended).toHaveLength(1)

    const second = scene.tunnel({ host: 'db.test', port: server.port })
    second.write('\x00')
    await once(second, 'data')
    server.sockets[1]?.resetAndDestroy()
    await cut(second)
    await expect.poll(() => scene.recording.ended).toHaveLength(2)
  })

  it('comes on a real socket is served the same', async () => {
    await using server = await openEcho()
    using scene = openEgressScene(reaching(server.port))
    await using door = await openLoopbackServer((socket) =>
      scene.session.tunnel(socket, { host: 'db.test', port: server.port, via: 'name' }),
    )
    const client = new Socket({ allowHalfOpen: true }).connect(door.port, '127.0.0.1')
    client.end('\x00hello')
    expect(await text(client)).toBe('\x00hello')
  })
})

it.each([
  ['127.0.0.1:80 in other words', '2130706433', 80],
  ['an IDN homograph', 'db.t\u0435st', 80],
  ['a user and a host', 'db.test@evil.test', 80],
  ['a port that is none', 'db.test', 0],
  ['a port beyond all', 'db.test', 65_536],
])('refuses %s before the policy is asked', async (_name, host, port) => {
  using scene = openEgressScene({ mode: 'deny', names })
  await cut(scene.tunnel({ host, port }))
  expect(scene.recording.denials).toMatchObject([{ code: 'egress.bad-host' }])
  expect(scene.asked).toEqual([])
})
