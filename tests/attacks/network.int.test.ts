import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { hostKinds } from '../contract/hosts/host-kinds.ts'
import { never, openHostScene } from '../contract/hosts/host-scene.ts'
import { describeOnHosts } from '../contract/hosts/sandbox-host.ts'
import { openAttackBox, shareAttackBox } from './attack-box.ts'

const connect = `
  const socket = require('node:net').connect(JSON.parse(process.argv[1]))
  socket.on('connect', () => { console.log('connected'); process.exit() })
  socket.on('error', (error) => { console.log(error.code); process.exit() })
`

describeOnHosts(hostKinds, 'from inside a sandbox', (kind) => {
  const scene = openHostScene(kind)

  /** A listener on the host that fails the test when anybody reaches it. */
  const listen = async (options: { host?: string; path?: string }) => {
    let reached = 0
    const server = createServer((socket) => {
      reached++
      socket.destroy()
    })
    server.listen(options.path === undefined ? { ...options, port: 0 } : options)
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    return { port, reached: () => reached }
  }

  describe('that is one of many', () => {
    const box = shareAttackBox(scene)

    it.each([
      '127.0.0.1',
      '::1',
    ])('no listener on the loopback of the host answers: %s', async (address) => {
      const server = await listen({ host: address })
      const { stdout } = await box().node(
        connect,
        JSON.stringify({ host: address, port: server.port }),
      )
      expect(stdout.toString().trim()).toBe('ECONNREFUSED')
      expect(server.reached()).toBe(0)
    })

    it('no address of the host can be reached', async () => {
      const server = await listen({ host: '0.0.0.0' })
      const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
      for (const { address, internal } of addresses) {
        if (internal) continue
        const { stdout } = await box().node(
          connect,
          JSON.stringify({ host: address, port: server.port }),
        )
        // Where addresses lead into the sandbox itself, nobody listens there. EINVAL: fe80:: without
        // an interface.
        const { capturesAddresses } = scene.capabilities
        expect(stdout.toString().trim()).toMatch(
          capturesAddresses
            ? /^(ECONNREFUSED|EINVAL)$/
            : /ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EINVAL/,
        )
      }
      expect(server.reached()).toBe(0)
    })

    it('no datagram gets to the host', async () => {
      const socket = createSocket('udp4')
      onTestFinished(() => void socket.close())
      let received = 0
      socket.on('message', () => received++)
      socket.bind(0, '0.0.0.0')
      await once(socket, 'listening')
      const script = `
        const socket = require('node:dgram').createSocket('udp4')
        let left = 4
        for (const host of ['127.0.0.1', '255.255.255.255', '10.0.2.2', '192.168.0.1'])
          socket.send('x', Number(process.argv[1]), host, () => --left || socket.close())
      `
      await box().node(script, `${socket.address().port}`)
      expect(received).toBe(0)
    })

    it('no Unix socket of the host can be reached, neither by path nor abstract', async () => {
      const path = join(tmpdir(), `aegis-attack-${process.pid}.sock`)
      const [named, abstract] = [await listen({ path }), await listen({ path: `\0${path}` })]
      const toPath = await box().node(connect, JSON.stringify({ path }))
      const toAbstract = await box().node(connect, JSON.stringify({ path: `\0${path}` }))
      expect(toPath.stdout.toString().trim()).toBe('ENOENT')
      expect(toAbstract.stdout.toString().trim()).toBe('ECONNREFUSED')
      expect(named.reached() + abstract.reached()).toBe(0)
    })

    it('there is no interface but the loopback, and no route out of it', async () => {
      const { stdout } = await box().sh(
        'tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route',
      )
      expect(stdout.toString().trim()).toBe('lo')
    })

    it('names resolve to nothing', async () => {
      const script = `require('node:dns').lookup('example.com', (error, address) => console.log(error?.code ?? address))`
      const { stdout } = await box().node(script)
      expect(stdout.toString().trim()).toMatch(/ENOTFOUND|EAI_AGAIN/)
    })
  })

  describe('that has a neighbour', () => {
    afterEach(() => scene.host.tidy())

    it('one sandbox does not reach another', async () => {
      const victim = await openAttackBox(scene.host)
      const serve = `require('node:net').createServer((s) => s.end('hi')).listen(9999, '0.0.0.0', () => console.log('ready'))`
      const running = await victim.sandbox.exec(
        { argv: ['node', '-e', serve], env: { PATH: kind.path }, cwd: '/' },
        never,
      )
      for await (const _ of running.stdout) break
      const thief = await openAttackBox(scene.host)
      const { stdout } = await thief.node(
        connect,
        JSON.stringify({ host: '127.0.0.1', port: 9999 }),
      )
      expect(stdout.toString().trim()).toBe('ECONNREFUSED')
    })

    it('a connection to the agent API carries the identity of its sandbox and no other', async () => {
      const callers: string[] = []
      const ask = (name: string) =>
        openAttackBox(scene.host, {
          onConnect: (_, stream) => {
            callers.push(name)
            stream.end()
          },
        })
      const boxes = [await ask('one'), await ask('two')]
      const call = `require('node:net').connect(8000, '127.0.0.1').resume().on('end', () => process.exit()).on('error', () => process.exit())`
      for (const box of boxes) await box.node(call)
      expect(callers).toEqual(['one', 'two'])
    })
  })
})
