import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { aSecret } from './testing/a-secret.ts'
import { type InspectScene, openInspectScene } from './testing/open-inspect-scene.ts'

const allow = ['site.test:PORT', 'other.test:PORT']
const http = { 'site.test:PORT': { paths: ['/open*'] } }

/** Sends bytes to the proxy, and gives all that comes back. `PORT` is that of the site. */
async function exchange(scene: InspectScene, raw: string): Promise<string> {
  const socket = connectTcp(await scene.proxy(), '127.0.0.1')
  socket.write(raw.replaceAll('PORT', String(scene.port)), 'latin1')
  return (await buffer(socket)).toString('latin1')
}

describe('a request to the proxy', () => {
  it('with a whole URL reaches that host, in the form that servers take', async () => {
    await using scene = await openInspectScene({ allow, plain: true })
    const answer = await exchange(
      scene,
      'GET http://Site.Test:PORT?q HTTP/1.1\r\nHost: site.test:PORT\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*hello$/s)
    expect(scene.seen[0]?.url).toBe('/?q')
    expect(Object.keys(scene.seen[0]?.headers ?? {}).sort()).toEqual(['connection', 'host'])
    expect(scene.egress.recording.started).toMatchObject([{ via: 'proxy', reading: 'inspected' }])
  })

  it('may be followed by one to another host, on a connection of its own', async () => {
    await using scene = await openInspectScene({ allow, plain: true })
    const one = (host: string, more = '') =>
      `GET http://${host}:PORT/ HTTP/1.1\r\nHost: ${host}:PORT\r\n${more}\r\n`
    const answer = await exchange(
      scene,
      one('site.test') + one('other.test') + one('denied.test', 'Connection: close\r\n'),
    )
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 403',
    ])
    expect(scene.egress.recording.started.map(({ host }) => host)).toEqual([
      'site.test',
      'other.test',
    ])
  })

  it.each([
    ['of an origin', 'GET / HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n', 400, 'egress.proxy-form'],
    [
      'with https',
      'GET https://site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n',
      400,
      'egress.proxy-form',
    ],
    [
      'with another Host header',
      'GET http://site.test:PORT/ HTTP/1.1\r\nHost: other.test:PORT\r\n\r\n',
      421,
      'egress.host-mismatch',
    ],
    [
      'with a user',
      'GET http://a@site.test:PORT/ HTTP/1.1\r\nHost: site.test:PORT\r\n\r\n',
      400,
      'egress.request-smuggling',
    ],
    [
      'with an odd address',
      'GET http://0x7f.1:PORT/ HTTP/1.1\r\nHost: 0x7f.1:PORT\r\n\r\n',
      400,
      'egress.request-smuggling',
    ],
    [
      'to a host that nothing permits',
      'GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n',
      403,
      'egress.no-rule',
    ],
    [
      'to itself',
      'GET http://127.0.0.1:3128/ HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nConnection: close\r\n\r\n',
      403,
      'egress.no-rule',
    ],
    [
      'by another protocol',
      'GET ftp://site.test/ HTTP/1.1\r\nHost: site.test\r\n\r\n',
      400,
      'egress.proxy-form',
    ],
  ])('%s is refused and recorded', async (_name, raw, status, code) => {
    await using scene = await openInspectScene({ allow, plain: true })
    const answer = await exchange(scene, raw)
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    expect(answer).toContain(`"code":"${code}"`)
    expect(answer).toMatch(/"remedy":|"error":/)
    await expect.poll(() => scene.egress.recording.denials).toMatchObject([{ code }])
    expect(scene.reached).toEqual([])
  })
})

describe('CONNECT', () => {
  it('leads to a permitted host, where TLS is opened as without a proxy', async () => {
    await using scene = await openInspectScene({ http })
    const socket = connectTcp(await scene.proxy(), '127.0.0.1')
    socket.write(
      `CONNECT site.test:${scene.port} HTTP/1.1\r\nHost: site.test:${scene.port}\r\n\r\n`,
    )
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toBe('HTTP/1.1 200 Connection established\r\n\r\n')
    const inside = connect({ socket, servername: 'site.test', ca: scene.authority })
    await once(inside, 'secureConnect')
    expect((await scene.ask('/open', { on: inside })).text).toBe('hello')
    expect((await scene.ask('/closed', { on: inside })).status).toBe(403)
    inside.destroy()
    expect(scene.egress.recording.started).toMatchObject([{ via: 'proxy', host: 'site.test' }])
  })

  it('passes on what came right behind it', async () => {
    await using scene = await openInspectScene({ allow, plain: true })
    const answer = await exchange(
      scene,
      'CONNECT site.test:PORT HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: site.test:PORT\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 .*hello$/s)
  })

  it.each([
    ['a host that nothing permits', 'denied.test:443', 'denied.test:443', 403, 'egress.no-rule'],
    ['no port', 'site.test', 'site.test', 400, 'egress.bad-host'],
    ['a port beyond all', 'site.test:99999', 'site.test:99999', 400, 'egress.bad-host'],
    ['port 0', 'site.test:0', 'site.test:0', 400, 'egress.bad-host'],
    ['a URL', 'http://site.test:PORT/', 'site.test:PORT', 400, 'egress.bad-host'],
    ['a path', 'site.test:PORT/x', 'site.test:PORT', 400, 'egress.bad-host'],
    ['a user', 'a@site.test:PORT', 'site.test:PORT', 400, 'egress.bad-host'],
    ['an address in octal', '0177.0.0.1:80', '0177.0.0.1:80', 400, 'egress.bad-host'],
    ['an address as one number', '2130706433:80', '2130706433:80', 400, 'egress.bad-host'],
    ['an IPv6 address without brackets', '::1:443', '::1:443', 400, 'egress.bad-host'],
    ['another Host header', 'site.test:PORT', 'other.test:PORT', 400, 'egress.host-mismatch'],
    ['itself', '127.0.0.1:3128', '127.0.0.1:3128', 403, 'egress.no-rule'],
    ['itself by its other name', '[::1]:3128', '[::1]:3128', 403, 'egress.no-rule'],
  ])('to %s is refused and recorded', async (_name, target, host, status, code) => {
    await using scene = await openInspectScene({ allow, plain: true })
    const answer = await exchange(scene, `CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*"code":"${code}"`, 's'))
    await expect.poll(() => scene.egress.recording.denials).toMatchObject([{ code }])
    expect(scene.egress.lookedUp).toEqual([])
  })

  it('with a body is refused', async () => {
    await using scene = await openInspectScene({ allow, plain: true })
    const answer = await exchange(
      scene,
      'CONNECT site.test:PORT HTTP/1.1\r\nHost: site.test:PORT\r\nContent-Length: 5\r\n\r\nhello',
    )
    expect(answer).toContain('"code":"egress.request-smuggling"')
    expect(scene.reached).toEqual([])
  })

  it('does not carry a placeholder out in a name', async () => {
    const secret = aSecret()
    await using scene = await openInspectScene({ allow, plain: true, secrets: () => [secret] })
    const answer = await exchange(
      scene,
      `CONNECT ${secret.placeholder}.site.test:443 HTTP/1.1\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 403 .*"code":"secret.leaked"/s)
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ action: 'secret.use' }])
    expect(JSON.stringify(scene.egress.recording.denials)).not.toContain(secret.placeholder)
    expect(scene.egress.lookedUp).toEqual([])
  })
})
