import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { inspectLimits } from './inspect-limits.ts'
import { openInspectScene } from './testing/open-inspect-scene.ts'

const http = { 'site.test:PORT': {} }
const other = { 'site.test:PORT': {}, 'other.test:PORT': {} }

/** `HOST` stands for the right one. */
const smuggled: readonly (readonly [string, string])[] = [
  [
    'a length and chunks (CL.TE)',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG',
  ],
  [
    'chunks and a length (TE.CL)',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST',
  ],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  ],
  [
    'the same length twice',
    'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
  ],
  ['two lengths in one header', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1, 2\r\n\r\nab'],
  ['a length with a sign', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\na'],
  ['a length in hexadecimal', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x1\r\n\r\na'],
  ['a negative length', 'POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\na'],
  [
    'an endless length',
    `POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\na`,
  ],
  [
    'a coding that is not chunked',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: identity\r\n\r\n',
  ],
  [
    'a coding nobody knows',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a coding before chunked',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a coding after chunked',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  ],
  [
    'chunked twice',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'codings that differ (TE.TE)',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n',
  ],
  [
    'a space before the colon',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a coding after a vertical tab',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'a coding in quotes',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
  ],
  ['a folded header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n'],
  [
    'a folded coding',
    'POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
  ],
  ['a header that begins with a space', 'GET / HTTP/1.1\r\n Host: HOST\r\n\r\n'],
  ['a bare line feed', 'GET / HTTP/1.1\nHost: HOST\n\n'],
  ['a bare line feed in its head', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\nY: b\r\n\r\n'],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\rY: b\r\n\r\n'],
  ['a zero byte in a header', 'GET / HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n'],
  ['a header without a name', 'GET / HTTP/1.1\r\nHost: HOST\r\n: x\r\n\r\n'],
  ['a header without a colon', 'GET / HTTP/1.1\r\nHost: HOST\r\nGET /x HTTP/1.1\r\n\r\n'],
  ['two hosts', 'GET / HTTP/1.1\r\nHost: HOST\r\nHost: other.test\r\n\r\n'],
  ['the same host twice', 'GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n'],
  ['no host', 'GET / HTTP/1.1\r\n\r\n'],
  ['a space in its target', 'GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['a target that is no path', 'GET a HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['an asterisk for a target', 'OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n'],
  ['a version nobody speaks', 'GET / HTTP/3.7\r\nHost: HOST\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  [
    'chunks in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
]

describe('a request with', () => {
  it.each(smuggled)('%s is refused and recorded, and nothing is dialled', async (_name, raw) => {
    await using scene = await openInspectScene({ http })
    const answer = await scene.exchange(raw.replaceAll('HOST', `site.test:${scene.port}`))
    // Nothing at all where the parser finds out after it has told of the request.
    expect(answer).toMatch(/^$|^HTTP\/1\.1 400 .*"code":"egress\.request-smuggling"/s)
    expect(answer).not.toMatch(/HTTP\/1\.1 \d.*HTTP\/1\.1 \d/s)
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ action: 'network.connect', subject: `site.test:${scene.port}` }])
    expect(scene.reached).toEqual([])
  })

  it.each([
    ['chunks of a size that is no number', 'zz\r\n'],
    ['a chunk with a bare line feed', '1\na\n0\n\n'],
    ['a chunk longer than it says', '1\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size beyond all numbers', 'fffffffffffffffff\r\n'],
    ['a chunk size after a space', ' 1\r\na\r\n0\r\n\r\n'],
    ['a carriage return in a chunk extension', '1;a\rb\r\na\r\n0\r\n\r\n'],
  ])('%s does not reach the server whole', async (_name, chunks) => {
    let ended = false
    await using scene = await openInspectScene({
      http,
      site: (incoming) =>
        void incoming
          .on('end', () => {
            ended = true
          })
          .resume(),
    })
    await scene
      .exchange(
        `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      )
      .catch(() => '')
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ code: 'egress.request-smuggling' }])
    expect(ended).toBe(false)
  })

  it('a chunk extension loses it', async () => {
    let raw = ''
    await using scene = await openInspectScene({
      http,
      raw: (socket) => {
        socket.on('data', (chunk) => {
          raw += chunk
          if (raw.endsWith('0\r\n\r\n')) socket.end('HTTP/1.1 204 No\r\nConnection: close\r\n\r\n')
        })
      },
    })
    await scene.exchange(
      `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;x="0\\r\\n";y\r\nabc\r\n0\r\n\r\n`,
    )
    expect(raw).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/)
    expect(raw).not.toContain('x=')
  })

  it.each(['TRACE', 'CONNECT'])('%s is refused', async (method) => {
    await using scene = await openInspectScene({ http })
    const target = method === 'CONNECT' ? 'site.test:443' : '/'
    const answer = await scene.exchange(
      `${method} ${target} HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\n`,
    )
    if (method === 'TRACE') expect(answer).toMatch(/^HTTP\/1\.1 405 .*"code":"egress.method"/s)
    else expect(answer).toBe('')
    expect(scene.reached).toEqual([])
  })
})

describe('a request to another host than the connection', () => {
  it.each([
    ['in its Host header', 'GET / HTTP/1.1\r\nHost: other.test:PORT\r\nConnection: close\r\n\r\n'],
    ['on another port', 'GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n'],
    ['as an address', 'GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n'],
    [
      'behind a user',
      'GET / HTTP/1.1\r\nHost: site.test:PORT@other.test\r\nConnection: close\r\n\r\n',
    ],
    [
      'with a name that ends in it',
      'GET / HTTP/1.1\r\nHost: evilsite.test:PORT\r\nConnection: close\r\n\r\n',
    ],
    [
      'in its URL',
      'GET https://other.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\nConnection: close\r\n\r\n',
    ],
    [
      'in its URL and its Host header',
      'GET https://other.test:PORT/ HTTP/1.1\r\nHost: other.test:PORT\r\nConnection: close\r\n\r\n',
    ],
    [
      'in its Host header, but not its URL',
      'GET https://site.test:PORT/ HTTP/1.1\r\nHost: other.test:PORT\r\nConnection: close\r\n\r\n',
    ],
    [
      'by another scheme',
      'GET http://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\nConnection: close\r\n\r\n',
    ],
  ])('%s is a 421, and recorded', async (_name, raw) => {
    await using scene = await openInspectScene({ http: other })
    const answer = await scene.exchange(raw.replaceAll('PORT', String(scene.port)))
    expect(answer).toMatch(/^HTTP\/1\.1 421 .*"code":"egress.host-mismatch"/s)
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ code: 'egress.host-mismatch', subject: `site.test:${scene.port}` }])
    expect(scene.reached).toEqual([])
  })

  it('is refused as the second of a connection too, also when it came right behind the first', async () => {
    await using scene = await openInspectScene({ http: other })
    const answer = await scene.exchange(
      `GET /1 HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\nGET /2 HTTP/1.1\r\nHost: other.test:${scene.port}\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 421 /s)
    expect(scene.seen.map(({ url }) => url)).toEqual(['/1'])
  })

  it('is none when the name is only written otherwise', async () => {
    await using scene = await openInspectScene({ http })
    const answer = await scene.exchange(
      `GET https://SITE.test.:${scene.port}/x?y HTTP/1.1\r\nHost: Site.Test:${scene.port}\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(scene.seen[0]).toMatchObject({
      url: '/x?y',
      headers: { host: `site.test:${scene.port}` },
    })
  })
})

describe('a client that', () => {
  it('sends many requests at once has them answered in their order', async () => {
    await using scene = await openInspectScene({
      http,
      site: (incoming, outgoing) => outgoing.end(`<${incoming.url}>`),
    })
    const one = (index: number) => `GET /${index} HTTP/1.1\r\nHost: site.test:${scene.port}\r\n`
    const raw = Array.from({ length: 8 }, (_, index) => `${one(index)}\r\n`).join('')
    const answer = await scene.exchange(`${raw}${one(8)}Connection: close\r\n\r\n`)
    expect(answer.match(/<\/\d>/g)?.join('')).toBe('</0></1></2></3></4></5></6></7></8>')
    expect(scene.reached).toHaveLength(1)
  })

  it('sends more than that is cut off', async () => {
    await using scene = await openInspectScene({ http, site: () => undefined })
    const one = `GET / HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\n`
    const stream = await scene.connect()
    stream.write(one.repeat(inspectLimits.pipelined + 1))
    await once(stream, 'close')
    expect(scene.seen.length).toBeLessThanOrEqual(1)
  })

  it('sends a head without end is told so', async () => {
    await using scene = await openInspectScene({ http })
    const answer = await scene.exchange(
      `GET / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nX: ${'a'.repeat(inspectLimits.headBytes)}\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 431 .*32768 bytes/s)
    expect(scene.reached).toEqual([])
  })

  it('sends too many headers is told so', async () => {
    await using scene = await openInspectScene({ http })
    const headers = Array.from({ length: inspectLimits.headerCount }, (_, n) => `x-${n}: 1\r\n`)
    const answer = await scene.exchange(
      `GET / HTTP/1.1\r\nHost: site.test:${scene.port}\r\n${headers.join('')}\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 431 .*at most 200 headers/s)
    expect(scene.reached).toEqual([])
  })

  it('goes on sending after it was refused is cut off', async () => {
    await using scene = await openInspectScene({ http: { 'site.test:PORT': { methods: ['GET'] } } })
    const stream = await scene.connect()
    stream.write(
      `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nContent-Length: 999999\r\n\r\n`,
    )
    const more = setInterval(() => stream.write('x'), 50)
    await once(stream, 'close')
    clearInterval(more)
    expect(scene.reached).toEqual([])
  })

  it('sends more than it may is cut off, and that is recorded', async () => {
    await using scene = await openInspectScene({
      http,
      limits: { hostBytesOut: 200_000 },
      site: (incoming) => void incoming.resume(),
    })
    const stream = await scene.connect()
    stream.write(
      `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(900_000)}`,
    )
    stream.resume()
    await once(stream, 'close')
    expect(scene.egress.recording.denials).toMatchObject([
      { code: expect.stringContaining('bytes') },
    ])
    const [ended] = scene.egress.recording.ended
    expect(ended?.bytesOut).toBeLessThanOrEqual(200_000)
  })

  it('is sent more than it may take is cut off', async () => {
    await using scene = await openInspectScene({
      http,
      limits: { hostBytesIn: 200_000 },
      site: (_, outgoing) => void outgoing.end(Buffer.alloc(2_000_000)),
    })
    await expect(scene.ask('/')).rejects.toThrow()
    const [ended] = scene.egress.recording.ended
    expect(ended?.bytesIn).toBeLessThanOrEqual(200_000)
  })
})
