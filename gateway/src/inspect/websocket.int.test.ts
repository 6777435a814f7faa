import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { aSecret } from './testing/a-secret.ts'
import {
  type InspectScene,
  type InspectSceneOptions,
  openInspectScene,
} from './testing/open-inspect-scene.ts'

const http = { 'site.test:PORT': { methods: ['GET'], paths: ['/socket*'] } }
const accepted =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n'

/** A server that agrees, and says its head and then every byte again. */
const echo =
  (heads: string[], first = ''): NonNullable<InspectSceneOptions['raw']> =>
  (socket) => {
    socket.once('data', (chunk) => {
      heads.push(String(chunk))
      socket.write(accepted + first)
      socket.on('data', (more) => socket.write(more))
    })
  }

async function handshake(scene: InspectScene, path: string, more = ''): Promise<Duplex> {
  const stream = await scene.connect()
  stream.write(
    `GET ${path} HTTP/1.1\r\nHost: site.test:${scene.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n${more}\r\n`,
  )
  return stream
}

const next = async (stream: Duplex): Promise<string> => String((await once(stream, 'data'))[0])
const frame = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)])

describe('a websocket', () => {
  it('to a permitted path is relayed both ways', async () => {
    const heads: string[] = []
    await using scene = await openInspectScene({ http, raw: echo(heads) })
    const stream = await handshake(scene, '/socket')
    expect(await next(stream)).toMatch(/^HTTP\/1\.1 101 .*Sec-WebSocket-Accept: x\r\n\r\n$/s)
    stream.write(frame('hello'))
    expect(await next(stream)).toBe(String(frame('hello')))
    expect(heads[0]).toMatch(/^GET \/socket HTTP\/1\.1\r\n.*Sec-WebSocket-Extensions: permessage/s)
    stream.end()
    await expect.poll(() => scene.egress.recording.ended).toHaveLength(1)
  })

  it('to a denied path is refused as any request is', async () => {
    await using scene = await openInspectScene({ http, raw: echo([]) })
    const stream = await handshake(scene, '/other')
    expect(await next(stream)).toMatch(/^HTTP\/1\.1 403 .*"code":"egress.no-rule"/s)
    await once(stream, 'close')
    expect(scene.reached).toEqual([])
  })

  it('to another host is refused', async () => {
    await using scene = await openInspectScene({ http, raw: echo([]) })
    const stream = await scene.connect()
    stream.write(
      'GET /socket HTTP/1.1\r\nHost: other.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    expect(await next(stream)).toMatch(/^HTTP\/1\.1 421 /)
    expect(scene.reached).toEqual([])
  })

  it('that the server does not want ends with its answer', async () => {
    await using scene = await openInspectScene({
      http,
      site: (_, outgoing) => {
        outgoing.writeHead(426)
        outgoing.end('no')
      },
    })
    const stream = await handshake(scene, '/socket')
    expect(await next(stream)).toMatch(/^HTTP\/1\.1 426 .*Connection: close/s)
    await once(stream, 'close')
  })

  it('with a body is no handshake', async () => {
    await using scene = await openInspectScene({ http, raw: echo([]) })
    const stream = await handshake(scene, '/socket', 'Content-Length: 3\r\n')
    expect(await next(stream)).toMatch(/^HTTP\/1\.1 400 /)
    expect(scene.reached).toEqual([])
  })

  it('is not asked for behind a request that waits for its answer', async () => {
    await using scene = await openInspectScene({ http: { 'site.test:PORT': {} }, raw: echo([]) })
    const host = `site.test:${scene.port}`
    for (const first of ['', 'Expect: something\r\n']) {
      const stream = await scene.connect()
      stream.write(
        `GET / HTTP/1.1\r\nHost: ${host}\r\n${first}\r\nGET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      )
      stream.resume()
      await once(stream, 'close')
    }
  })

  it('gets secrets in its handshake, and agrees to nothing that would hide its frames', async () => {
    const heads: string[] = []
    await using scene = await openInspectScene({
      allow: ['site.test:PORT'],
      secrets: (port) => [aSecret({ value: 'v4lue', placeholder, hosts: [`site.test:${port}`] })],
      raw: echo(heads),
    })
    const stream = await handshake(scene, '/socket', `Authorization: Bearer ${placeholder}\r\n`)
    await next(stream)
    expect(heads[0]).toContain('Authorization: Bearer v4lue\r\n')
    expect(heads[0]).not.toContain('Extensions')
  })

  it('carries no placeholder out, and no value in', async () => {
    for (const sent of [placeholder, 'say v4lue']) {
      const heads: string[] = []
      await using scene = await openInspectScene({
        allow: ['site.test:PORT'],
        secrets: (port) => [
          aSecret({ name: 'key', value: 'v4lue', placeholder, hosts: [`site.test:${port}`] }),
        ],
        raw: echo(heads),
      })
      const stream = await handshake(scene, '/socket')
      await next(stream)
      let told = ''
      stream.on('data', (chunk) => {
        told += chunk
      })
      stream.write(frame(sent))
      await once(stream, 'close')
      expect(told).not.toContain('v4lue')
      const code = sent === placeholder ? 'secret.leaked' : 'secret.echoed'
      await expect.poll(() => scene.egress.recording.denials).toMatchObject([{ code }])
      expect(scene.egress.recording.ended).toMatchObject([{ cause: code }])
    }
  })
})

const placeholder = `aegis-secret-${'0123456789abcdef'.repeat(2)}`
