import { once } from 'node:events'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import type { ByteStream, ConnectTarget, SandboxNotice } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { bootGuest, canBoot, env, never, type TestGuest, textOf } from './testing/boot-guest.ts'

const asDuplex = (stream: ByteStream): Duplex => {
  if (!(stream instanceof Duplex)) throw new TypeError('not a Duplex')
  return stream
}

/** Runs a Node program inside. */
async function node(guest: TestGuest, program: string) {
  const process = await guest.session.exec(
    { argv: ['/opt/node', '-e', program], env, cwd: '/' },
    never,
  )
  const [stdout, stderr, exit] = await Promise.all([
    textOf(process.stdout),
    textOf(process.stderr),
    process.exit,
  ])
  return { stdout, stderr, code: exit.code }
}

const withNode = ['--ro-bind', process.execPath, '/opt/node', '--dir', '/etc']

describe.skipIf(!(await canBoot()))('a connection on the loopback of a sandbox', () => {
  it('reaches an HTTP server on the host that listens nowhere', async () => {
    const server = createServer((request, response) => {
      response.write(`you sent ${request.headers['content-length']} to `)
      setImmediate(() => request.resume().on('end', () => response.end(request.url)))
    })
    await using guest = await bootGuest(
      {
        onConnect: (target, stream) => {
          expect(target).toEqual({ kind: 'agent-api' })
          server.emit('connection', asDuplex(stream))
        },
      },
      withNode,
    )
    const { stdout, stderr } = await node(
      guest,
      `Promise.all(Array.from({length: 20}, (_, i) =>
         fetch('http://127.0.0.1:8000/path/' + i, {method: 'POST', body: 'x'.repeat(300_000)})
           .then((response) => response.text()))).then((all) => console.log(new Set(all).size, all[7]))`,
    )
    expect({ stdout, stderr }).toEqual({ stdout: '20 you sent 300000 to /path/7\n', stderr: '' })
  })

  it('closes each direction for itself and loses nothing', async () => {
    await using guest = await bootGuest(
      {
        onConnect: (_target, stream) => {
          let bytes = 0
          asDuplex(stream)
            .on('data', (chunk: Buffer) => {
              bytes += chunk.length
            })
            .on('end', () => asDuplex(stream).end(`got ${bytes}`.padEnd(500_000, '.')))
        },
      },
      withNode,
    )
    const { stdout } = await node(
      guest,
      `const socket = require('net').connect({port: 8000, host: '127.0.0.1', allowHalfOpen: true})
       let text = ''
       socket.on('data', (chunk) => text += chunk).on('end', () => console.log(text.length, text.slice(0, 12)))
       socket.end(Buffer.alloc(5_000_000))`,
    )
    expect(stdout).toBe('500000 got 5000000.\n')
  })

  it('is held back by a host that does not read, and by a program that does not', async () => {
    const streams: Duplex[] = []
    await using guest = await bootGuest(
      { onConnect: (_target, stream) => void streams.push(asDuplex(stream)) },
      withNode,
    )
    const writer = await guest.session.exec(
      {
        argv: [
          '/opt/node',
          '-e',
          `const s = require('net').connect(8000, '127.0.0.1'); let sent = 0
           const push = () => { while (sent < 64e6 && s.write(Buffer.alloc(65536))) sent += 65536 }
           s.on('drain', push).on('connect', push)
           setTimeout(() => { console.log(sent); process.exit() }, 300)`,
        ],
        env,
        cwd: '/',
      },
      never,
    )
    const sent = Number(await textOf(writer.stdout))
    expect(sent).toBeGreaterThan(100_000)
    expect(sent).toBeLessThan(16_000_000) // What the kernel's buffers hold.
    expect(streams[0]?.readableLength).toBeLessThanOrEqual(64 * 1024)
  })

  it('is reset when the host refuses it', async () => {
    await using guest = await bootGuest({ onConnect: (_t, stream) => stream.destroy() }, withNode)
    const { stdout } = await node(
      guest,
      `require('net').connect(8000, '127.0.0.1').on('error', (error) => console.log(error.code)).resume()`,
    )
    expect(stdout).toBe('ECONNRESET\n')
  })

  it('costs only this sandbox when its handler has a mistake', async () => {
    await using guest = await bootGuest(
      {
        onConnect: () => {
          throw new Error('a mistake in the handler')
        },
      },
      withNode,
    )
    await guest.session.exec(
      { argv: ['/opt/node', '-e', `require('net').connect(8000, '127.0.0.1')`], env, cwd: '/' },
      never,
    )
    expect(await guest.session.ended).toBe('sandbox_lost')
    expect(guest.session.failure?.message).toBe('a mistake in the handler')
  })

  it('carries the name that was looked up, while other names are denied and noticed', async () => {
    const targets: ConnectTarget[] = []
    const notices: SandboxNotice[] = []
    await using guest = await bootGuest(
      {
        names: [{ name: 'api.example.com', address: '127.64.0.7' }],
        listeners: [{ target: 'tcp', address: '0.0.0.0', port: 443 }],
        onNotice: (notice) => notices.push(notice),
        onConnect: (target, stream) => {
          targets.push(target)
          asDuplex(stream).end('welcome')
        },
      },
      withNode,
    )
    expect(guest.session.dns).toBe(true)
    const { stdout } = await node(
      guest,
      `const dns = new (require('dns').promises.Resolver)(); dns.setServers(['127.0.0.1'])
       const say = (host) => new Promise((done) => require('net').connect(443, host)
         .on('data', (d) => done(String(d))).on('error', (error) => done(error.code)))
       ;(async () => {
         const [address] = await dns.resolve4('API.example.com')
         const denied = await dns.resolve4('Evil.example.org').catch((error) => error.code)
         const noV6 = await dns.resolve6('api.example.com').catch((error) => error.code)
         console.log(address, denied, noV6, await say(address), await say('127.0.0.9'))
       })()`,
    )
    expect(stdout).toBe('127.64.0.7 ENOTFOUND ENODATA welcome ECONNRESET\n')
    expect(targets).toEqual([{ kind: 'tcp', host: 'api.example.com', port: 443 }])
    expect(notices).toEqual([
      { kind: 'dns-answered', name: 'api.example.com' },
      { kind: 'dns-denied', name: 'evil.example.org' },
    ])
  })

  it('is limited to 256 at once; the next ones wait', async () => {
    const streams: Duplex[] = []
    await using guest = await bootGuest(
      { onConnect: (_t, stream) => void streams.push(asDuplex(stream)) },
      withNode,
    )
    const process = await guest.session.exec(
      {
        argv: [
          '/opt/node',
          '-e',
          `for (let i = 0; i < 300; i++) require('net').connect(8000, '127.0.0.1').on('data', () => {}).on('end', () => {})`,
        ],
        env,
        cwd: '/',
      },
      never,
    )
    await expect.poll(() => streams.length, { timeout: 10_000 }).toBe(256)
    for (const stream of streams.splice(0)) stream.resume().end()
    await expect.poll(() => streams.length, { timeout: 10_000 }).toBe(44)
    for (const stream of streams) stream.resume().end()
    await once(streams[0] as Duplex, 'close')
    expect((await process.exit).code).toBe(0)
  })
})
