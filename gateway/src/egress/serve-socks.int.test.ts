import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import {
  type EgressScene,
  openEgressScene,
  openLoopbackServer,
} from '../testing/open-egress-scene.ts'

const names = { 'db.test': ['127.0.0.1'] }
const granted = Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
const replyOf = (code: number) => Buffer.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0)

const named = (host: string, port: number): Buffer =>
  Buffer.concat([
    Buffer.of(5, 1, 0, 3, host.length),
    Buffer.from(host),
    Buffer.of(port >> 8, port & 0xff),
  ])

/** A client that greets without waiting for answers, as lazy ones do, and says `words`. */
function speak(scene: EgressScene, ...words: readonly (Buffer | string)[]): Duplex {
  const client = scene.proxy()
  for (const word of words) client.write(word)
  return client
}

describe('a client of SOCKS 5', () => {
  it.each([
    ['by name', 'db.test', 'db.test'],
    ['by an address as text', '127.0.0.1', '127.0.0.1'],
    ['by another spelling of the name', 'DB.test.', 'db.test'],
  ])('reaches what is permitted %s', async (_name, host, known) => {
    await using server = await openLoopbackServer((socket) => socket.pipe(socket))
    const { port } = server
    using scene = openEgressScene({ allow: [`db.test:${port}`, `127.0.0.1:${port}`], names })

    const client = speak(scene, Buffer.of(5, 1, 0), named(host, port), '\x00hello')
    client.end()

    const expected = Buffer.concat([Buffer.of(5, 0), granted, Buffer.from('\x00hello')])
    expect(await buffer(client)).toEqual(expected)
    expect(scene.recording.started).toMatchObject([{ host: known, via: 'proxy' }])
  })

  it('may come with a name and a password, which nobody keeps', async () => {
    await using server = await openLoopbackServer((socket) => socket.pipe(socket))
    const { port } = server
    using scene = openEgressScene({ allow: [`db.test:${port}`, `127.0.0.1:${port}`], names })

    const credentials = Buffer.from('\x01\x04user\x08p4ssw0rd', 'latin1')
    const client = speak(scene, Buffer.of(5, 1, 2), credentials, named('db.test', port), '\x00hi')
    client.end()

    const expected = Buffer.concat([Buffer.of(5, 2, 1, 0), granted, Buffer.from('\x00hi')])
    expect(await buffer(client)).toEqual(expected)
    expect(JSON.stringify([scene.recording, scene.lines])).not.toContain('p4ssw0rd')
  })

  it.each([
    ['a name that no rule permits', named('evil.test', 443), 'egress.no-rule', 'evil.test:443'],
    ['a forbidden name in other words', named('EVIL.test', 443), 'egress.no-rule', 'evil.test:443'],
    ['a number for an address', named('2130706433', 80), 'egress.bad-host', '2130706433:80'],
    ['a name that is two to some', named('db.test\0.evil.test', 80), 'egress.bad-host', /db.test/],
    ['a URL', named('http://db.test/', 80), 'egress.bad-host', 'http://db.test/:80'],
    ['port 0', named('db.test', 0), 'egress.bad-host', 'db.test:0'],
  ])('is told by the protocol that %s is not permitted', async (_name, request, code, subject) => {
    using scene = openEgressScene({ allow: ['db.test:80'], names })

    const client = speak(scene, Buffer.of(5, 1, 0), request)

    expect(await buffer(client)).toEqual(Buffer.concat([Buffer.of(5, 0), replyOf(2)]))
    expect(scene.recording.denials).toMatchObject([
      { code, subject: expect.stringMatching(subject) },
    ])
    expect(scene.lookedUp).toEqual([])
    expect(scene.recording.started).toEqual([])
  })

  it.each([
    ['BIND', Buffer.of(5, 2, 0, 1, 1, 1, 1, 1, 0, 80), 7, 'egress.socks-command'],
    ['datagrams', Buffer.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0), 7, 'egress.socks-command'],
    ['an unknown kind of address', Buffer.of(5, 1, 0, 9, 1, 1), 8, 'egress.socks-address'],
  ])('is refused %s, and told so', async (_name, request, reply, code) => {
    using scene = openEgressScene({ allow: ['db.test:80'], names })

    const client = speak(scene, Buffer.of(5, 1, 0), request)

    expect(await buffer(client)).toEqual(Buffer.concat([Buffer.of(5, 0), replyOf(reply)]))
    expect(scene.recording.denials).toMatchObject([{ code }])
  })

  it('that insists on an unknown way to authenticate is told that there is none', async () => {
    using scene = openEgressScene()

    const client = speak(scene, Buffer.of(5, 1, 1))

    expect(await buffer(client)).toEqual(Buffer.of(5, 0xff))
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.socks-method' }])
  })

  it('that breaks the protocol is cut off', async () => {
    using scene = openEgressScene()

    const client = speak(scene, Buffer.of(5, 1, 0), Buffer.of(4, 1, 0, 80))
    client.resume()
    await once(client, 'close')

    expect(scene.recording.denials).toMatchObject([{ code: 'egress.socks-malformed' }])
  })

  it('cannot hide another host in its TLS', async () => {
    const { aClientHello, recordsOf } = await import('../testing/a-client-hello.ts')
    using scene = openEgressScene({ allow: ['db.test'], names })

    const hello = recordsOf(aClientHello({ serverName: 'evil.test' }), 16_384)
    const client = speak(scene, Buffer.of(5, 1, 0), named('db.test', 443), hello)
    client.resume()
    await once(client, 'close')

    expect(scene.recording.denials).toMatchObject([{ code: 'egress.sni-mismatch' }])
    expect(scene.recording.started).toEqual([])
  })
})

describe('the proxy', () => {
  it('refuses SOCKS 4 in its words', async () => {
    using scene = openEgressScene()

    const client = speak(scene, Buffer.of(4, 1, 0, 80, 1, 1, 1, 1, 0))

    expect(await buffer(client)).toEqual(Buffer.of(0, 91, 0, 0, 0, 0, 0, 0))
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.socks4' }])
  })

  it('leaves everything else to who reads HTTP, from the first byte on', async () => {
    using scene = openEgressScene()

    const client = speak(scene, 'CONNECT db.test:443 HTTP/1.1\r\n\r\n')
    client.end()
    await expect.poll(() => scene.inspected).toMatchObject([{ as: 'proxy' }])

    const [{ stream } = { stream: client }] = scene.inspected
    expect(await text(stream)).toBe('CONNECT db.test:443 HTTP/1.1\r\n\r\n')
  })
})
