import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { ConnectTarget, SandboxIdentity } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { makeRecording } from '../testing/open-agent-port.ts'
import { openDnsServer } from '../testing/open-dns-server.ts'
import { openLoopbackServer, policyOf, ruleOf } from '../testing/open-egress-scene.ts'
import { openTestGateway } from '../testing/open-test-gateway.ts'

/** An agent that may reach `db.test` on that port, which leads to the loopback. */
function identityFor(port: number): SandboxIdentity {
  const base = anIdentity()
  const rules = [`db.test:${port}`, `127.0.0.1:${port}`].map(ruleOf)
  return {
    ...base,
    policy: policyOf(rules, 'allow'),
    egress: { ...base.egress, mode: 'allow', rules, reachableRanges: ['127.0.0.1'] },
  }
}

async function openScene(identity?: SandboxIdentity) {
  const server = await openLoopbackServer((socket) => socket.pipe(socket))
  const dns = await openDnsServer((_name, type) => (type === 'A' ? { a: ['127.0.0.1'] } : {}))
  const gateway = openTestGateway([], { resolvers: [dns.address] })
  const recording = makeRecording()
  const door = gateway.admit(identity ?? identityFor(server.port), recording)
  const clients: Duplex[] = []
  return {
    server,
    dns,
    door,
    recording,
    port: server.port,
    connect(target: ConnectTarget): Duplex {
      const [inside, outside] = duplexPair()
      outside.once('close', () => {
        if (!outside.readableEnded || !outside.writableFinished) inside.destroy()
      })
      clients.push(inside, outside)
      door.connect(target, outside)
      return inside
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      await gateway[Symbol.asyncDispose]()
      await dns[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

describe('the door of a sandbox', () => {
  it('lets a connection to a permitted name out', async () => {
    await using scene = await openScene()
    const client = scene.connect({ kind: 'tcp', host: 'db.test', port: scene.port })
    client.end('\x00hello')
    expect(await text(client)).toBe('\x00hello')
    expect(scene.recording.started).toMatchObject([{ host: 'db.test', via: 'name' }])
  })

  it('knows a connection to an address by itself', async () => {
    await using scene = await openScene()
    const client = scene.connect({ kind: 'tcp', host: '127.0.0.1', port: scene.port })
    client.end('\x00hello')
    expect(await text(client)).toBe('\x00hello')
    expect(scene.recording.started).toMatchObject([{ host: '127.0.0.1', via: 'address' }])
    expect(scene.dns.asked).toEqual([])
  })

  it('offers the proxy, for SOCKS and for HTTP', async () => {
    await using scene = await openScene()
    const socks = scene.connect({ kind: 'proxy' })
    const to = [scene.port >> 8, scene.port & 0xff]
    socks.write(Buffer.of(5, 1, 0))
    socks.write(Buffer.concat([Buffer.of(5, 1, 0, 3, 7), Buffer.from('db.test'), Buffer.from(to)]))
    socks.end('\x00hello')
    expect((await buffer(socks)).subarray(-6).toString()).toBe('\x00hello')

    const http = scene.connect({ kind: 'proxy' })
    http.write(`CONNECT db.test:${scene.port} HTTP/1.1\r\nHost: db.test:${scene.port}\r\n\r\n`)
    const [answer] = await once(http, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /)
    http.end('\x00hello')
    expect(await text(http)).toBe('\x00hello')
    expect(scene.recording.started).toMatchObject([{ via: 'proxy' }, { via: 'proxy' }])
  })

  it('sends nobody through the proxy to the proxy, or to anything of this host', async () => {
    const base = identityFor(1)
    const everything = {
      ...base,
      policy: policyOf([], 'deny'),
      egress: { ...base.egress, rules: [] },
    }
    await using scene = await openScene(everything)
    for (const host of ['127.0.0.1', 'localhost', 'db.test']) {
      const client = scene.connect({ kind: 'proxy' })
      client.write(Buffer.of(5, 1, 0))
      client.write(
        Buffer.concat([Buffer.of(5, 1, 0, 3, host.length), Buffer.from(host), Buffer.of(12, 56)]),
      )
      client.write('\x05\x01\x00')
      client.resume()
      await once(client, 'close')
    }
    const codes = scene.recording.denials.map(({ subject, code }) => [subject, code])
    expect(codes).toEqual([
      ['127.0.0.1:3128', 'egress.loopback-address'],
      ['localhost:3128', 'egress.loopback-address'],
      ['db.test:3128', 'egress.loopback-address'],
    ])
    expect(scene.recording.started).toEqual([])
  })

  it('opens for no stream but the agent API when the agent has no network', async () => {
    await using scene = await openScene(anIdentity())
    for (const target of [{ kind: 'proxy' }, { kind: 'tcp', host: '::1', port: 80 }] as const) {
      const client = scene.connect(target)
      client.resume()
      await once(client, 'close')
    }
    expect(scene.recording.denials).toMatchObject([
      { subject: 'proxy', code: 'egress.no-network' },
      { subject: '[::1]:80', code: 'egress.no-network' },
    ])
  })

  it('lets no more streams out than a sandbox may have', async () => {
    await using scene = await openScene()
    for (let stream = 0; stream < limits.egressStreams; stream += 1)
      scene.connect({ kind: 'proxy' })
    expect(scene.recording.denials).toEqual([])
    const client = scene.connect({ kind: 'proxy' })
    client.resume()
    await once(client, 'close')
    expect(scene.recording.denials).toMatchObject([{ code: 'egress.budget-streams' }])
  })

  it('takes all that is open with it, once it closes', async () => {
    await using scene = await openScene()
    const client = scene.connect({ kind: 'tcp', host: 'db.test', port: scene.port })
    client.write('\x00hello')
    await once(client, 'data')
    const [upstream] = scene.server.sockets
    const gone = upstream && once(upstream, 'close')
    upstream?.resume()

    scene.door[Symbol.dispose]()

    await once(client, 'close')
    await gone
    expect(scene.recording.ended).toMatchObject([{ cause: 'egress.sandbox-ended' }])
    const late = scene.connect({ kind: 'tcp', host: 'db.test', port: scene.port })
    await once(late, 'close')
    expect(scene.recording.started).toHaveLength(1)
  })
})
