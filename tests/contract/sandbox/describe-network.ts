import { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ByteStream, ConnectTarget, SandboxNetwork, SandboxNotice } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { NetworkCommands } from '../contract-commands.ts'
import { type HostScene, tidyAfterEach } from '../hosts/host-scene.ts'
import { collect, type SpecOverrides } from '../sandbox-driver.ts'

const network: SandboxNetwork = {
  names: ['api.example.com', 'db.example.net'],
  suffixes: ['example.org', 'pages.example'],
  ports: [80, 443, 5432, 8000],
  proxy: true,
}

/** What `SandboxSpec.network` promises. */
export function describeNetwork(scene: HostScene, commands: NetworkCommands): void {
  const { start, run } = scene

  /** A sandbox that remembers who called and what it told. */
  const open = async (overrides: SpecOverrides = { network }) => {
    const calls: ConnectTarget[] = []
    const notices: SandboxNotice[] = []
    const sandbox = await scene.boot({
      onConnect: (target, stream) => {
        calls.push(target)
        void answerReversed(stream)
      },
      onNotice: (notice) => notices.push(notice),
      ...overrides,
    })
    const print = async (argv: readonly [string, ...string[]]) =>
      (await run(sandbox, argv)).stdout.toString().trim()
    const resolve = async (name: string, type = 'A') => print(commands.resolve(name, type))
    const call = async (host: string, port: number, say = '') => {
      const calling = await start(sandbox, commands.call(host, port))
      return (await collect(calling, [Buffer.from(say)])).stdout.toString()
    }
    return { sandbox, calls, notices, resolve, call, print }
  }

  describe('the network', () => {
    tidyAfterEach(scene)

    it('gives each name an address of its own, also below a suffix, and keeps it', async () => {
      const { resolve, notices } = await open()
      const names = ['api.example.com', 'db.example.net', 'a.example.org', 'b.c.pages.example']
      const addresses: string[] = []
      for (const name of names) addresses.push(await resolve(name))
      expect(new Set(addresses).size).toBe(names.length)
      for (const address of addresses) expect(address).toMatch(/^(198\.1[89]|127\.\d+)\.\d+\.\d+$/)
      for (const [index, name] of names.entries())
        expect(await resolve(name.toUpperCase())).toBe(addresses[index])
      expect(notices).toEqual(names.map((name) => ({ kind: 'dns-answered', name })))
    })

    it('has no other names, and tells of who asks for them', async () => {
      const { resolve, notices } = await open()
      const denied = ['example.com', 'evil.example', 'example.org', 'xexample.org', '8.8.8.8']
      for (const name of denied) expect(await resolve(name)).toBe('ENOTFOUND')
      expect(notices).toEqual(denied.map((name) => ({ kind: 'dns-denied', name })))
    })

    it.each(['AAAA', 'MX', 'TXT'])('has no %s records, without an error', async (type) => {
      const { resolve } = await open()
      expect(await resolve('api.example.com', type)).toBe('ENODATA')
      expect(await resolve('new.example.org', type)).toBe('ENODATA')
    })

    it('carries a connection to a name with the name and the port, each way and half-closed', async () => {
      const { call, calls } = await open()
      expect(await call('api.example.com', 443, 'desserts')).toBe('stressed')
      expect(await call('API.Example.COM', 5432, 'abc')).toBe('cba')
      expect(await call('deep.below.example.org', 80, 'xyz')).toBe('zyx')
      expect(calls).toEqual([
        { kind: 'tcp', host: 'api.example.com', port: 443 },
        { kind: 'tcp', host: 'api.example.com', port: 5432 },
        { kind: 'tcp', host: 'deep.below.example.org', port: 80 },
      ])
    })

    it('carries what is large without loss', async () => {
      const { call } = await open()
      const large = 'abcdefghij'.repeat(400_000)
      const answer = await call('api.example.com', 443, large)
      expect(answer.length).toBe(large.length)
      expect(answer === [...large].reverse().join('')).toBe(true)
    })

    it('resets a connection that its handler refuses', async () => {
      const { call } = await open({ network, onConnect: (_, stream) => stream.destroy() })
      expect(await call('api.example.com', 443)).toBe('ECONNRESET')
    })

    it('offers the proxy, and the agent API beside a port of the same number', async () => {
      const { call, calls } = await open()
      expect(await call('127.0.0.1', 3128, 'ab')).toBe('ba')
      expect(await call('127.0.0.1', 8000, 'cd')).toBe('dc')
      expect(await call('api.example.com', 8000, 'ef')).toBe('fe')
      expect(calls).toEqual([
        { kind: 'proxy' },
        { kind: 'agent-api' },
        { kind: 'tcp', host: 'api.example.com', port: 8000 },
      ])
    })

    it('takes over no other port, and tells by name where the runtime sees it', async () => {
      const { call, calls, notices } = await open()
      expect(await call('api.example.com', 8443)).toBe('ECONNREFUSED')
      expect(await call('below.example.org', 22)).toBe('ECONNREFUSED')
      const denied = (address: string, port: number) =>
        ({ kind: 'connect-denied', protocol: 'tcp', address, port }) as const
      const told = scene.capabilities.capturesAddresses
        ? [denied('api.example.com', 8443), denied('below.example.org', 22)]
        : []
      await expect.poll(() => notices.filter(({ kind }) => kind === 'connect-denied')).toEqual(told)
      expect(calls).toEqual([])
    })

    it('holds as many names, suffixes and ports as it promises', async () => {
      const { call, calls } = await open({
        network: {
          names: Array.from({ length: 1000 }, (_, at) => `n${at}.${'a'.repeat(60)}.example`),
          suffixes: Array.from({ length: 100 }, (_, at) => `s${at}.example`),
          ports: Array.from({ length: 60 }, (_, at) => 1000 + at),
          proxy: true,
        },
      })
      const last = [`n999.${'a'.repeat(60)}.example`, 'x.s99.example']
      for (const host of last) expect(await call(host, 1059, 'ab')).toBe('ba')
      expect(calls).toEqual(last.map((host) => ({ kind: 'tcp', host, port: 1059 })))
    })

    it('leaves the loopback to the sandbox itself, and does not tell', async () => {
      const { call, calls, notices } = await open()
      for (const host of ['127.0.0.1', '127.1.2.3', '::1'])
        expect(`${host} ${await call(host, 443)}`).toMatch(/ ECONNRE(SET|FUSED)$/)
      expect({ calls, notices }).toEqual({ calls: [], notices: [] })
    })

    it('has addresses of the world where the runtime captures them, and else no way to them', async () => {
      const { call, calls, notices } = await open()
      const there = [
        ['203.0.113.7', 443],
        ['2001:db8::1:0:0:7', 80],
        ['::ffff:203.0.113.8', 5432],
        ['1:0:2:3:4:5:6:7', 443],
        ['2001:0:0:1::1', 443],
      ] as const
      if (!scene.capabilities.capturesAddresses) {
        for (const [host, port] of there) expect(await call(host, port)).toMatch(unreachable)
        expect({ calls, notices }).toEqual({ calls: [], notices: [] })
        return
      }
      for (const [host, port] of there) expect(await call(host, port, 'ab')).toBe('ba')
      expect(calls).toEqual([
        { kind: 'tcp', host: '203.0.113.7', port: 443 },
        { kind: 'tcp', host: '2001:db8::1:0:0:7', port: 80 },
        { kind: 'tcp', host: '203.0.113.8', port: 5432 },
        { kind: 'tcp', host: '1:0:2:3:4:5:6:7', port: 443 },
        { kind: 'tcp', host: '2001:0:0:1::1', port: 443 },
      ])
      expect(notices).toEqual([])
    })

    it.each<[string, SpecOverrides]>([
      ['with a network', { network }],
      ['without one', {}],
    ])('refuses what nobody takes over at once, and tells: %s', async (_, overrides) => {
      const { call, calls, notices, print } = await open(overrides)
      const denied = (protocol: 'tcp' | 'udp', address: string, port: number) => ({
        kind: 'connect-denied' as const,
        protocol,
        address,
        port,
      })
      const tried = [
        denied('tcp', '8.8.8.8', 853),
        denied('tcp', '169.254.169.254', 8088),
        denied('tcp', '2606:4700:4700::1111', 853),
        denied('udp', '8.8.4.4', 53),
        denied('udp', '2001:db8::5', 443),
        ...(overrides.network ? [] : [denied('tcp', '203.0.113.7', 443)]),
      ]
      const captures = scene.capabilities.capturesAddresses
      for (const { protocol, address, port } of tried) {
        const outcome =
          protocol === 'tcp'
            ? await call(address, port)
            : await print(commands.sendDatagram(address, port))
        expect(outcome).toMatch(captures ? /^ECONNREFUSED$/ : unreachable)
      }
      await expect.poll(() => notices).toEqual(captures ? tried : [])
      expect(calls).toEqual([])
    })

    it('is not there when a sandbox has none', async () => {
      const { call, resolve, calls } = await open({})
      expect(await resolve('api.example.com')).toBe('ENOTFOUND')
      for (const port of [80, 443, 3128]) expect(await call('127.0.0.1', port)).toBe('ECONNREFUSED')
      expect(await call('127.0.0.1', 8000, 'ab')).toBe('ba')
      expect(calls).toEqual([{ kind: 'agent-api' }])
    })

    it('is refused when its names or ports cannot be', async () => {
      const refused = { kind: 'invalid', code: 'sandbox.network' }
      for (const wrong of [
        { names: ['Upper.example'] },
        { names: ['1.2.3.4'] },
        { suffixes: ['.example'] },
        { ports: [0] },
        { ports: Array.from({ length: 63 }, (_, index) => 1000 + index) },
      ])
        await expect(scene.boot({ network: { ...network, ...wrong } })).rejects.toMatchObject(
          refused,
        )
    })
  })
}

const unreachable = /^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EINVAL)$/

async function answerReversed(stream: ByteStream): Promise<void> {
  if (!(stream instanceof Duplex)) throw new TypeError('In Node a ByteStream is a Duplex')
  const asked = await buffer(stream).catch(() => undefined)
  if (asked !== undefined) stream.end(asked.reverse())
}
