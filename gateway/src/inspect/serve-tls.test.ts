import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { openEgressScene } from '../testing/open-egress-scene.ts'
import { makeCertificateAuthority } from './certificates/certificate-authority.ts'
import { serveTls } from './serve-tls.ts'

const authority = makeCertificateAuthority({ nodeName: 'test' })

/** What a client that asks for `servername` comes to, on a connection to `host`. */
async function handshake(host: string, servername: string | undefined) {
  using scene = openEgressScene()
  const [inside, outside] = duplexPair()
  outside.once('close', () => inside.destroy())
  let opened = false
  serveTls(scene.session, outside, { host, port: 443, via: 'name' }, authority, () => {
    opened = true
  })
  const socket = connect({
    socket: inside,
    ca: authority.certificate,
    host,
    ...(servername !== undefined && { servername }),
    ALPNProtocols: ['h2', 'http/1.1'],
  })
  const told = await Promise.race([
    once(socket, 'secureConnect').then(() => 'secure'),
    once(socket, 'error').then(([error]) => String(error)),
  ]).catch((error: unknown) => String(error))
  if (told === 'secure') await expect.poll(() => opened || outside.destroyed).toBe(true)
  socket.on('error', () => undefined).destroy()
  const { denials } = scene.recording
  return { told, opened, protocol: socket.alpnProtocol, denials }
}

describe('TLS in the name of a host', () => {
  it('is spoken with a client that asks for that name, and inside it HTTP/1.1', async () => {
    const client = await handshake('site.test', 'site.test')
    expect(client).toMatchObject({
      told: 'secure',
      opened: true,
      protocol: 'http/1.1',
      denials: [],
    })
    expect((await handshake('site.test', 'SITE.test')).opened).toBe(true)
  })

  it('is refused to one that asks for another, which is told and recorded', async () => {
    const client = await handshake('site.test', 'other.test')
    expect(client.told).toMatch(/unrecognized name/)
    expect(client.opened).toBe(false)
    expect(client.denials).toMatchObject([
      {
        subject: 'site.test:443',
        code: 'egress.sni-mismatch',
        reason: expect.stringMatching(/other/),
      },
    ])
  })

  it('is refused to one that asks for none', async () => {
    const client = await handshake('site.test', '')
    expect(client.opened).toBe(false)
    expect(client.denials).toMatchObject([{ code: 'egress.sni-mismatch' }])
  })

  it('is spoken in the name of an address, for which clients do not ask', async () => {
    expect(await handshake('192.0.2.7', undefined)).toMatchObject({ told: 'secure', opened: true })
    expect(await handshake('2001:db8::7', undefined)).toMatchObject({
      told: 'secure',
      opened: true,
    })
  })
})
