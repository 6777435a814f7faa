import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectTarget, SandboxNetwork, SandboxNotice, SandboxSpec } from '@aegis/core'
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

    it('there is no interface but the loopback, and no route', async () => {
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

  describe('that has a network', () => {
    afterEach(() => scene.host.tidy())
    const network: SandboxNetwork = {
      names: ['api.example.com'],
      suffixes: ['example.org'],
      ports: [443],
      proxy: true,
    }
    /** A box, perhaps with one of the payloads, that remembers what it told. */
    const openWith = async (payload?: string) => {
      const notices: SandboxNotice[] = []
      const calls: ConnectTarget[] = []
      const programs = payload && {
        'payload.cjs': await readFile(new URL(`./payloads/${payload}.cjs`, import.meta.url)),
      }
      const onConnect: SandboxSpec['onConnect'] = (target, stream) => {
        calls.push(target)
        stream.destroy()
      }
      const overrides = { network, onNotice: (one: SandboxNotice) => notices.push(one), onConnect }
      const box = await openAttackBox(scene.host, overrides, programs || {})
      const attack = async (...args: readonly string[]) =>
        (await box.sh('exec node /workspace/payload.cjs "$@"', ...args)).stdout.toString().trim()
      // Where the guest is out of sight: what all processes hold, of which it is the only one that stays.
      const guestPages = async () => {
        const script = kind.ownKernel ? 'grep AnonPages: /proc/meminfo' : 'cat /proc/1/statm'
        const [, figure] = (await box.sh(script)).stdout.toString().split(/\s+/)
        return kind.ownKernel ? Number(figure) / 4 : Number(figure)
      }
      return { box, notices, calls, attack, guestPages }
    }

    it.each([
      ['below a suffix', 'example.org', { 0: 1024, 2: 8976 }],
      ['that nobody permitted', 'evil.example', { 3: 10_000 }],
    ])(
      '10,000 questions for names %s cost a bounded amount of memory and notices',
      async (_, suffix, codes) => {
        const { notices, attack, guestPages } = await openWith('dns-flood')
        const before = await guestPages()
        const began = performance.now()
        expect(JSON.parse(await attack('10000', suffix))).toEqual(codes)
        const seconds = (performance.now() - began) / 1000
        // All there is to remember is 1,024 names of 254 bytes.
        expect((await guestPages()) - before).toBeLessThan((1 << 20) / 4096)
        expect(notices.length).toBeGreaterThan(0)
        expect(notices.length).toBeLessThan(150 + 25 * seconds)
      },
      120_000,
    )

    it('what is no question of DNS gets no answer and does no harm', async () => {
      const { attack, notices } = await openWith('dns-garbage')
      expect(await attack()).toBe('3')
      for (const notice of notices) expect(notice.kind).toBe('dns-denied')
    })

    it('names that end up in a log are plain', async () => {
      const { box, notices } = await openWith()
      const ask = `require('node:dns').resolve4(process.argv[1], (error) => console.log(error?.code))`
      for (const name of ['\x1b[2J.example', 'a b.example', 'a\n.example', 'ä.example', "'; --"])
        expect((await box.node(ask, name)).stdout.toString()).not.toBe('undefined\n')
      for (const notice of notices)
        expect(JSON.stringify(notice)).toMatch(/^\{"kind":"dns-denied","name":"[a-z0-9._-]+"\}$/)
    })

    it('whoever knocks at every address and port is told at a pace, and reaches nothing', async () => {
      const { box, notices, calls } = await openWith()
      const script = `
        const [net, dgram] = [require('node:net'), require('node:dgram')]
        const udp = dgram.createSocket('udp4').on('error', () => {})
        const tcp = (host, port) => new Promise((done) =>
          net.connect(port, host).on('connect', () => console.log('connected', host, port)).on('error', done).on('close', done))
        const run = async () => {
          for (let at = 1; at <= 2000; at++) {
            udp.send('x', 1 + at, '10.0.' + (at >> 8) + '.' + (at & 255), () => {})
            await Promise.all([tcp('192.0.2.' + (at & 255), 1000 + at), tcp('2001:db8::' + at.toString(16), 1000 + at)])
          }
          console.log('done')
          process.exit()
        }
        run()`
      const began = performance.now()
      expect((await box.node(script)).stdout.toString()).toBe('done\n')
      const seconds = (performance.now() - began) / 1000
      expect(calls).toEqual([])
      expect(notices.length).toBeLessThan(40 + 11 * seconds)
      const { capturesAddresses } = scene.capabilities
      expect(notices.length > 0).toBe(capturesAddresses)
      expect(new Set(notices.map(({ kind }) => kind)).size).toBe(capturesAddresses ? 1 : 0)
    }, 120_000)

    it('the sockets that see what is captured are not to be had', async ({ skip }) => {
      if (!scene.capabilities.capturesAddresses) return skip('there are none')
      const { box } = await openWith()
      const { stdout } = await box.sh(
        'for fd in /proc/self/fd/*; do readlink $fd; done | grep -c socket; (cd /proc/1/fd && echo open) 2>/dev/null; ' +
          'cat /proc/net/raw /proc/net/raw6 >/dev/null; echo end',
      )
      expect(stdout.toString()).toBe('0\nend\n')
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
