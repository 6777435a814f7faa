import fc from 'fast-check'
import { expect, it } from 'vitest'
import { FrameType, ProtocolViolation } from './frame.ts'
import { parseQuiet } from './machine-messages.ts'
import {
  encodeConfiguration,
  encodeExec,
  parseClose,
  parseConfigured,
  parseConnect,
  parseExit,
  parseHello,
  parseNotice,
  parseStatsReply,
} from './messages.ts'

const payload = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array))

it.each([
  ['HELLO', payload(8, 24), parseHello],
  ['CONFIGURED', payload(2, 1190), parseConfigured],
  ['QUIET', payload(4, 68), parseQuiet],
  ['STATS_REPLY', payload(48, 48), parseStatsReply],
  ['EXIT', payload(28, 28), parseExit],
  ['CONNECT', payload(3, 256), parseConnect],
  ['NOTICE', payload(2, 258), parseNotice],
  [
    'CLOSE',
    payload(0, 64),
    (bytes: Buffer) => parseClose({ type: FrameType.close, flags: 0, channel: 1, payload: bytes }),
  ],
] as const)('%s of arbitrary bytes is a message or a violation', (_name, bytes, parse) => {
  fc.assert(
    fc.property(bytes, (some) => {
      try {
        parse(some)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolViolation)
      }
    }),
    { numRuns: 500 },
  )
})

it('reads where a connection wants to go, in canonical names only', () => {
  const connect = (kind: number, port: number, host: string) =>
    parseConnect(Buffer.concat([Buffer.from([kind, port >> 8, port & 255]), Buffer.from(host)]))
  expect(connect(0, 0, '')).toEqual({ kind: 'agent-api' })
  expect(connect(1, 443, 'api.example.com')).toEqual({
    kind: 'tcp',
    host: 'api.example.com',
    port: 443,
  })
  expect(connect(2, 0, '')).toEqual({ kind: 'proxy' })
  for (const host of ['8.8.8.8', '2001:db8::1', '1:0:2:3:4:5:6:7', 'fe80::1:0:0:2'])
    expect(connect(1, 22, host)).toEqual({ kind: 'tcp', host, port: 22 })
  const odd = ['', 'A.com', 'a..com', '.a', 'a.', 'a b', 'a\0', 'ä.com', 'a/b', 'a:1', 'a\n']
  const oddLabels = [`${'a'.repeat(64)}.com`, `${'a.'.repeat(127)}ab`]
  const oddIpv4 = ['1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.256', '0x7f.1', '127.1', '2130706433']
  const oddIpv6 = ['::FF', '[::1]', '::1%lo', '0:0::1', '1::2:3:4:5:6:7', '::1.2.3.4', ':::', '::g']
  for (const host of [...odd, ...oddLabels, ...oddIpv4, ...oddIpv6])
    expect(() => connect(1, 443, host)).toThrow(ProtocolViolation)
  expect(() => connect(1, 0, 'a.com')).toThrow(ProtocolViolation)
  expect(() => connect(0, 8000, '')).toThrow(ProtocolViolation)
  expect(() => connect(2, 1, '')).toThrow(ProtocolViolation)
  expect(() => connect(2, 0, 'a')).toThrow(ProtocolViolation)
  expect(() => connect(3, 1, 'a')).toThrow(ProtocolViolation)
})

it('reads what a guest noticed, and nothing that is odd', () => {
  const notice = (...parts: readonly (number | string)[]) =>
    parseNotice(
      Buffer.concat(
        parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))),
      ),
    )
  expect(notice(1, 'a.example')).toEqual({ kind: 'dns-denied', name: 'a.example' })
  expect(notice(2, 'a.example')).toEqual({ kind: 'dns-answered', name: 'a.example' })
  expect(notice(3, 17, 4, 0, 53, 8, 8, 4, 4)).toEqual({
    kind: 'connect-denied',
    protocol: 'udp',
    address: '8.8.4.4',
    port: 53,
  })
  const loopback = [...Array(15).fill(0), 1]
  expect(notice(3, 6, 6, 1, 187, ...loopback)).toEqual({
    kind: 'connect-denied',
    protocol: 'tcp',
    address: '::1',
    port: 443,
  })
  expect(notice(3, 6, 0, 0, 22, 'a.example')).toEqual({
    kind: 'connect-denied',
    protocol: 'tcp',
    address: 'a.example',
    port: 22,
  })
  for (const odd of [
    [0, 'a'],
    [4, 'a'],
    [1, '\x1b[2J'],
    [2, 'A.example'],
    [2, 'a..b'],
    [3, 6],
    [3, 1, 4, 0, 53, 8, 8, 4, 4],
    [3, 6, 5, 0, 53, 8, 8, 4, 4],
    [3, 6, 6, 0, 53, 8, 8, 4, 4],
    [3, 6, 4, 0, 0, 8, 8, 4, 4],
    [3, 6, 4, 0, 53, 8, 8, 4, 4, 0],
    [3, 6, 4, 1, 187, ...loopback],
    [3, 6, 0, 0, 22],
    [3, 6, 0, 0, 22, 'A.example'],
    [3, 6, 0, 0, 22, '8.8.8.8'],
    [3, 6, 0, 0, 22, 'a.example\n'],
  ])
    expect(() => notice(...odd)).toThrow(ProtocolViolation)
})

it('reads an end by code, by signal, and with the limits that were met', () => {
  const exit = (how: number, value: number, flags = 0) => {
    const bytes = Buffer.alloc(28)
    bytes.set([how, value, 0, flags])
    bytes.writeBigUInt64BE(1500n, 4)
    return parseExit(bytes)
  }
  expect(exit(0, 3)).toMatchObject({ code: 3, signal: undefined, cause: undefined })
  expect(exit(0, 3).usage.cpuUserMs).toBe(1.5)
  expect(exit(1, 9)).toMatchObject({ code: undefined, signal: 'KILL' })
  expect(exit(1, 35)).toMatchObject({ signal: 'RTMIN+1' })
  expect(exit(0, 1, 1)).toMatchObject({ cause: 'disk_limit' })
  expect(exit(0, 1, 1 | 4)).toMatchObject({ cause: 'pids_limit' })
  expect(exit(1, 9, 1 | 2 | 4)).toMatchObject({ cause: 'memory_limit' })
  expect(() => exit(2, 0)).toThrow(ProtocolViolation)
  expect(() => exit(1, 0)).toThrow(ProtocolViolation)
  expect(() => exit(0, 0, 8)).toThrow(ProtocolViolation)
})

it('reads what a machine says of itself', () => {
  const hello = (features: number, generation = 0) => {
    const bytes = Buffer.alloc(8 + generation, 7)
    bytes.write('AEGI')
    bytes.writeUInt16BE(4, 4)
    bytes.writeUInt16BE(features, 6)
    return parseHello(bytes)
  }
  expect(hello(1 | 2)).toMatchObject({ machine: false, generation: undefined })
  expect(hello(4 | 8)).toMatchObject({ machine: true, generation: undefined })
  expect(hello(4 | 16, 16)).toMatchObject({ machine: true, generation: Buffer.alloc(16, 7) })
  for (const [features, generation] of [
    [8],
    [16, 16],
    [4 | 16],
    [4, 16],
    [4 | 16, 8],
    [32],
  ] as const)
    expect(() => hello(features, generation)).toThrow(ProtocolViolation)
})

it('reads how a machine got its random numbers', () => {
  const proof = Buffer.alloc(32, 9)
  const report = (words: string) =>
    parseConfigured(Buffer.concat([Buffer.of(3, 1), proof, Buffer.from(words)]))
  expect(report('OK OK OK OK OK')).toEqual({
    dns: true,
    listeners: [undefined],
    reseed: { proof, failed: undefined },
  })
  expect(report('OK EPERM OK EIO EADDRINUSE')).toMatchObject({
    listeners: ['EADDRINUSE'],
    reseed: { failed: { step: 'reseed', errno: 'EPERM' } },
  })
  for (const words of ['', 'OK', 'OK OK OK OK', 'OK OK OK OK OK OK', 'OK OK OK OK ok'])
    expect(() => report(words)).toThrow(ProtocolViolation)
  expect(() => parseConfigured(Buffer.from([2, 0, 1, 2, 3]))).toThrow(ProtocolViolation)
})

it('refuses a number beyond what can be true', () => {
  const bytes = Buffer.alloc(48, 0xff)
  expect(() => parseStatsReply(bytes)).toThrow(ProtocolViolation)
})

it('writes commands and configurations as the reference describes them', () => {
  const exec = encodeExec({
    argv: ['ls', '-l'],
    env: { A: '1' },
    cwd: '/w',
    terminal: { rows: 2, columns: 3 },
  })
  expect(exec.toString('latin1')).toBe('\x01\0\x02\0\x03\0\x02\0\x01/w\0ls\0-l\0A=1\0')
  const configuration = encodeConfiguration({
    user: { uid: 1, gid: 2 },
    listeners: [{ target: 'tcp', address: '127.0.0.1', port: 443 }],
    names: [{ name: 'a.b', address: '198.18.0.1' }],
    pool: { suffixes: ['c.d'], first: '198.18.0.2', size: 300 },
  })
  expect(configuration.toString('hex')).toBe(
    ['03', '00000001', '00000002', '0001', '0001', '0001', 'c6120002', '012c']
      .concat(['01', '7f000001', '01bb', 'c6120001', '03', '612e62', '03', '632e64'])
      .join(''),
  )
  const machine = encodeConfiguration({
    listeners: [],
    names: [],
    machine: { entropy: Buffer.alloc(64, 0xab), clockMs: 1.5 },
  })
  expect(machine.toString('hex')).toBe(`06${'0'.repeat(40)}${'ab'.repeat(64)}00000000000005dc`)
  const bad = (name: string, address: string) =>
    encodeConfiguration({ listeners: [], names: [{ name, address }] })
  expect(() => bad('A.b', '1.2.3.4')).toThrow(RangeError)
  expect(() => bad('a.b', '1.2.3')).toThrow(RangeError)
  expect(() => bad('a.b', '1.2.3.256')).toThrow(RangeError)
})
