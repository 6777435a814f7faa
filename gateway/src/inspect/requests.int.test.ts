import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openInspectScene } from './testing/open-inspect-scene.ts'

const http = { 'site.test:PORT': { methods: ['GET', 'POST', 'HEAD'], paths: ['/repos/*', '/'] } }

describe('a request inside TLS', () => {
  it('that a rule permits reaches the server, and its answer comes back', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.writeHead(201, 'Fine', { 'x-more': ['1', '2'], 'set-cookie': ['a=1', 'b=2'] })
        outgoing.end('hello')
      },
    })
    const told = await scene.ask('/repos/a?q=1', { headers: { 'X-Mine': 'yes' } })
    expect(told).toMatchObject({ status: 201, text: 'hello', headers: { 'x-more': '1, 2' } })
    expect(told.headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(scene.seen[0]?.url).toBe('/repos/a?q=1')
    expect(scene.seen[0]?.headers).toMatchObject({
      'x-mine': 'yes',
      host: `site.test:${scene.port}`,
    })
    expect(scene.egress.recording.started).toMatchObject([
      { host: 'site.test', port: scene.port, reading: 'inspected', address: '127.0.0.1' },
    ])
  })

  it.each([
    ['another path', 'GET', '/users', '/users'],
    ['another method', 'DELETE', '/repos/a', '/repos/a'],
    ['a path that lenient servers take for another', 'GET', '/repos/..%2fusers', undefined],
    ['a path in disguise', 'GET', '/%75sers', '/users'],
  ])('is refused for %s, before anything is looked up', async (_name, method, target, path) => {
    await using scene = await openInspectScene({ http })
    const told = await scene.ask(target, { method })
    expect(told.status).toBe(path === undefined ? 400 : 403)
    expect(JSON.parse(told.text)).toMatchObject({
      code: path === undefined ? 'egress.path' : 'egress.no-rule',
      error: expect.any(String),
      remedy: expect.any(String),
    })
    expect(told.headers['proxy-status']).toContain('aegis')
    expect(scene.egress.lookedUp).toEqual([])
    expect(scene.reached).toEqual([])
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ action: 'network.connect', subject: `site.test:${scene.port}` }])
  })

  it.each([
    ['method', 'X-HTTP-Method-Override', 'DELETE', 403],
    ['method', 'x-http-method', 'delete', 403],
    ['method', 'X-Method-Override', 'GET', 200],
    ['method', 'X-Method-Override', 'DELETE, GET', 400],
    ['path', 'X-Original-URL', '/users', 403],
    ['path', 'X-Rewrite-URL', '/%75sers?x=1', 403],
    ['path', 'X-Rewrite-URL', '/repos/../users', 400],
    ['path', 'X-Original-URL', 'https://site.test/repos/b', 200],
  ])('may not be another one by a header: %s, %s: %s', async (_what, name, named, status) => {
    await using scene = await openInspectScene({ http })
    const told = await scene.ask('/repos/a', { method: 'POST', headers: { [name]: named } })
    expect(told.status).toBe(status)
    expect(scene.seen).toHaveLength(status === 200 ? 1 : 0)
  })

  it('may have a whole page of such headers, and is still asked about a bounded number', async () => {
    await using scene = await openInspectScene({ http })
    const many = Array.from({ length: 60 }, (_, at) => `/repos/${at}`)
    const methods = Array.from({ length: 60 }, () => 'GET')
    const headers = { 'X-Original-URL': many, 'X-Method-Override': methods }
    const told = await scene.ask('/repos/a', { method: 'POST', headers })
    expect(told.status).toBe(400)
  })

  it('names the policies that forbid it', async () => {
    await using scene = await openInspectScene({
      http,
      refuse: (request) => request.action === 'network.connect' && request.http !== undefined,
    })
    expect(JSON.parse((await scene.ask('/')).text)).toMatchObject({
      code: 'egress.forbidden',
      policies: ['forbidden'],
    })
  })

  it('goes out on one connection with those before it, and a refused one does not end it', async () => {
    await using scene = await openInspectScene({ http })
    const on = await scene.connect()
    for (const target of ['/repos/1', '/users', '/repos/2', '/repos/3']) {
      await scene.ask(target, { on })
    }
    expect(scene.seen.map(({ url }) => url)).toEqual(['/repos/1', '/repos/2', '/repos/3'])
    expect(scene.reached).toHaveLength(1)
    on.end()
    await expect.poll(() => scene.egress.recording.ended).toMatchObject([{ requests: 3 }])
  })

  it('gets a new connection when the server has closed the one before', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => outgoing.end('bye', () => outgoing.socket?.end()),
    })
    const on = await scene.connect()
    expect((await scene.ask('/', { on })).text).toBe('bye')
    await expect.poll(() => scene.egress.recording.ended).toHaveLength(1)
    expect((await scene.ask('/', { on })).text).toBe('bye')
    expect(scene.reached).toHaveLength(2)
  })

  it('brings its body, and the server its trailers', async () => {
    await using scene = await openInspectScene({
      http,
      site: (incoming, outgoing) => {
        outgoing.writeHead(200, { trailer: 'x-sum' })
        incoming.on('data', (chunk) => outgoing.write(chunk))
        incoming.on('end', () => {
          outgoing.addTrailers({ 'x-sum': '7' })
          outgoing.end()
        })
      },
    })
    const body = Buffer.alloc(300_000, 'x')
    const told = await scene.ask('/', { method: 'POST', body })
    expect(told.text).toBe(body.toString())
    expect(told.trailers).toEqual({ 'x-sum': '7' })
  })

  it('keeps what speaks of one connection to that connection', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.setHeader('connection', 'x-hop, close')
        outgoing.setHeader('x-hop', '1')
        outgoing.setHeader('alt-svc', 'h3=":443"')
        outgoing.setHeader('proxy-authenticate', 'Basic')
        outgoing.end()
      },
    })
    const told = await scene.ask('/', {
      headers: {
        connection: 'keep-alive, x-private, host',
        'x-private': '1',
        'proxy-authorization': 'Basic eA==',
        te: 'trailers',
        'keep-alive': 'timeout=5',
        upgrade: 'h2c',
        'http2-settings': 'AAMAAABkAAQAAP__',
      },
    })
    expect(told.status).toBe(200)
    const names = Object.keys(scene.seen[0]?.headers ?? {})
    expect(names.sort()).toEqual(['connection', 'host'])
    for (const name of ['x-hop', 'alt-svc', 'proxy-authenticate']) {
      expect(told.headers).not.toHaveProperty(name)
    }
  })

  it('with HEAD tells a length and brings no body', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.setHeader('content-length', '12345')
        outgoing.end()
      },
    })
    const on = await scene.connect()
    const told = await scene.ask('/', { method: 'HEAD', on })
    expect(told).toMatchObject({ status: 200, headers: { 'content-length': '12345' }, text: '' })
    expect((await scene.ask('/', { method: 'HEAD', on })).status).toBe(200)
  })

  it('waits with its body for the policy when it says so', async () => {
    await using scene = await openInspectScene({ http })
    const head = (target: string) =>
      `POST ${target} HTTP/1.1\r\nHost: site.test:${scene.port}\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`
    const refused = await scene.exchange(head('/users'))
    expect(refused).toMatch(/^HTTP\/1\.1 403 /)

    const stream = await scene.connect()
    stream.write(head('/'))
    const [answer] = await once(stream, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 100 Continue/)
    stream.write('hello')
    const [rest] = await once(stream, 'data')
    expect(String(rest)).toMatch(/^HTTP\/1\.1 200 OK/)
  })

  it('gets the events of a stream as they come', async () => {
    const { promise: next, resolve: send } = Promise.withResolvers<void>()
    await using scene = await openInspectScene({
      http,
      site: async (_, outgoing) => {
        outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
        outgoing.write('data: 1\n\n')
        await next
        outgoing.end('data: 2\n\n')
      },
    })
    const stream = await scene.connect()
    stream.write(`GET / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nConnection: close\r\n\r\n`)
    let text = ''
    stream.on('data', (chunk) => {
      text += chunk
    })
    await expect.poll(() => text).toContain('data: 1\n\n')
    send()
    await expect.poll(() => text).toContain('data: 2\n\n')
  })

  it('passes redirects on untouched: where they lead is asked for anew', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.writeHead(302, { location: 'https://elsewhere.test/secret' })
        outgoing.end()
      },
    })
    const told = await scene.ask('/')
    expect(told).toMatchObject({
      status: 302,
      headers: { location: 'https://elsewhere.test/secret' },
    })
    expect(scene.egress.lookedUp).toEqual(['site.test'])
  })

  it('in plain HTTP is asked about too', async () => {
    await using scene = await openInspectScene({ http, plain: true })
    expect((await scene.ask('/repos/a')).text).toBe('hello')
    expect((await scene.ask('/users')).status).toBe(403)
    expect(scene.seen).toHaveLength(1)
  })
})

describe('an answer', () => {
  it('may come before the request has ended', async () => {
    await using scene = await openInspectScene({
      http,
      raw: (socket) => {
        socket.once('data', () =>
          socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig'),
        )
      },
    })
    const stream = await scene.connect()
    stream.write(
      `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nContent-Length: 100000\r\n\r\nstart`,
    )
    const [answer] = await once(stream, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 Too Large\r\n.*big$/s)
    // The rest of the request is read and thrown away, and the next one is served.
    stream.write(Buffer.alloc(100_000 - 5))
    stream.write(`GET /repos/1 HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\n`)
    expect(String((await once(stream, 'data'))[0])).toMatch(/^HTTP\/1\.1 413 /)
  })

  it.each([
    ['is no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'has a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['has a bare line feed in a header', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n'],
    ['has an endless head', `HTTP/1.1 200 OK\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`],
    [
      'changes to a protocol nobody asked for',
      'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    ],
    ['never comes', ''],
  ])('that %s is a 502', async (_name, bytes) => {
    await using scene = await openInspectScene({
      http,
      raw: (socket) => void socket.once('data', () => socket.end(bytes)),
    })
    const told = await scene.ask('/')
    expect(told.status).toBe(502)
    expect(JSON.parse(told.text)).toMatchObject({ code: 'egress.upstream-failed' })
  })

  it('that ends in the middle ends the connection, so that nobody takes it for whole', async () => {
    await using scene = await openInspectScene({
      http,
      raw: (socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'))
      },
    })
    const answer = await scene
      .exchange(`GET / HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\n`)
      .catch((error: Error) => error.message)
    expect(answer).not.toMatch(/HTTP.*HTTP/s)
  })

  it('cannot be two: what follows the first is not passed on', async () => {
    await using scene = await openInspectScene({
      http,
      raw: (socket) => {
        socket.once('data', () =>
          socket.write(
            'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
          ),
        )
      },
    })
    const on = await scene.connect()
    expect((await scene.ask('/', { on })).text).toBe('ok')
    on.destroy()
  })
})

describe('TLS that ends here', () => {
  it('shows a certificate of the authority in the bundle, for the host alone', async () => {
    await using scene = await openInspectScene({ http })
    expect(issuerOf(await scene.connect())).toBe('AEGIS test ephemeral CA')
  })

  it('is refused for another name, and that is recorded; nothing is dialled', async () => {
    await using scene = await openInspectScene({ http })
    await expect(scene.connect({ servername: 'other.test' })).rejects.toThrow()
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ subject: `site.test:${scene.port}`, code: 'egress.sni-mismatch' }])
    expect(scene.reached).toEqual([])
  })

  it('is not opened to a server whose certificate nobody vouches for, whatever Node was told', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => void vi.unstubAllEnvs())
    await using scene = await openInspectScene({ http: { 'untrusted.test:PORT': {} } })
    const told = await scene.ask('/', { host: 'untrusted.test' })
    expect(told.status).toBe(502)
    expect(JSON.parse(told.text)).toMatchObject({ code: 'egress.untrusted-certificate' })
    expect(scene.seen).toEqual([])
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ code: 'egress.untrusted-certificate' }])
  })

  it('does not end here for hosts that no rule for requests covers', async () => {
    await using scene = await openInspectScene({ allow: ['site.test:PORT'] })
    expect(issuerOf(await scene.connect())).toBe('World CA')
  })
})

const issuerOf = (stream: Duplex) =>
  stream instanceof TLSSocket ? stream.getPeerCertificate().issuer.CN : undefined
