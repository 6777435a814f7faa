import type {
  ConnectTarget,
  ExecCommand,
  Exit,
  LimitCause,
  SandboxNotice,
  SandboxStats,
} from '@aegis/core'
import {
  ipv4Number,
  ipv4Text,
  ipv6Text,
  isDnsName,
  isHostName,
  isIpv4,
  isIpv6,
} from './addresses.ts'
import { type Frame, FrameType, ProtocolViolation } from './frame.ts'
import {
  GENERATION_BYTES,
  HELLO_MAGIC,
  LISTENERS_MAX,
  NAMES_MAX,
  POOL_MAX,
  PROOF_BYTES,
  SUFFIXES_MAX,
} from './limits.ts'
import {
  encodeMachine,
  type MachineConfiguration,
  parseReason,
  type ReseedReport,
  reseedReport,
  reseedSteps,
} from './machine-messages.ts'
import { signalName } from './signals.ts'

/** Where the guest listens inside, and what a connection to it means. */
export interface GuestListener {
  readonly target: 'agent-api' | 'tcp' | 'proxy'
  /** IPv4, dotted; 0.0.0.0: any, of IPv6 too. */
  readonly address: string
  readonly port: number
}

/** A name that the sandbox may look up, and the synthetic address it gets. */
export interface GuestName {
  /** Lower case, no trailing dot. */
  readonly name: string
  /** IPv4, dotted. */
  readonly address: string
}

/** Names that have an address as soon as they are looked up. */
export interface GuestPool {
  /** Every name that ends in a dot and one of these. */
  readonly suffixes: readonly string[]
  /** The first address that such a name gets, dotted. */
  readonly first: string
  readonly size: number
}

export interface GuestConfiguration {
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly listeners: readonly GuestListener[]
  readonly names: readonly GuestName[]
  readonly pool?: GuestPool
  /** For a guest whose kernel is its own. */
  readonly machine?: MachineConfiguration
}

/** What the guest said about itself. */
export interface GuestHello {
  readonly version: number
  /** It is the init of its PID namespace. */
  readonly isInit: boolean
  readonly terminal: boolean
  /** The kernel is its own. */
  readonly machine: boolean
  /** Out of a snapshot: as this generation. */
  readonly generation: Buffer | undefined
}

export interface GuestConfigured {
  readonly dns: boolean
  /** Per listener: undefined when it is open, else the errno's name. */
  readonly listeners: readonly (string | undefined)[]
  /** From a machine, and from nobody else. */
  readonly reseed: ReseedReport | undefined
}

/** How a channel was closed: in good order, or at which step and with which errno it failed. */
export type CloseReason = undefined | { readonly step: string; readonly errno: string }

const exitFlag = { diskFull: 1, oomKill: 2, pidsRefused: 4 } as const
const target = { 'agent-api': 0, tcp: 1, proxy: 2 } as const
const notice = { dnsDenied: 1, dnsAnswered: 2, connectDenied: 3 } as const

export function encodeConfiguration(configuration: GuestConfiguration): Buffer {
  const { user, listeners, names, pool, machine } = configuration
  const { suffixes, first, size } = pool ?? { suffixes: [], first: '0.0.0.0', size: 0 }
  if (listeners.length > LISTENERS_MAX || names.length > NAMES_MAX)
    throw new RangeError(`A guest takes ${LISTENERS_MAX} listeners and ${NAMES_MAX} names`)
  if (suffixes.length > SUFFIXES_MAX || size > POOL_MAX)
    throw new RangeError(`A guest takes ${SUFFIXES_MAX} suffixes and ${POOL_MAX} names below them`)
  const fixed = Buffer.alloc(21)
  fixed.writeUInt8((user ? 1 : 0) | 2 | (machine ? 4 : 0), 0)
  fixed.writeUInt32BE(user?.uid ?? 0, 1)
  fixed.writeUInt32BE(user?.gid ?? 0, 5)
  fixed.writeUInt16BE(listeners.length, 9)
  fixed.writeUInt16BE(names.length, 11)
  fixed.writeUInt16BE(suffixes.length, 13)
  fixed.writeUInt32BE(ipv4Number(first), 15)
  fixed.writeUInt16BE(size, 19)
  return Buffer.concat([
    fixed,
    ...(machine ? [encodeMachine(machine)] : []),
    ...listeners.map(encodeListener),
    ...names.flatMap(({ name, address }) => [encodeAddress(address), encodeName(name)]),
    ...suffixes.map(encodeName),
  ])
}

function encodeListener(listener: GuestListener): Buffer {
  const entry = Buffer.alloc(7)
  entry.writeUInt8(target[listener.target], 0)
  entry.writeUInt32BE(ipv4Number(listener.address), 1)
  entry.writeUInt16BE(listener.port, 5)
  return entry
}

function encodeAddress(address: string): Buffer {
  const entry = Buffer.alloc(4)
  entry.writeUInt32BE(ipv4Number(address))
  return entry
}

function encodeName(name: string): Buffer {
  if (!isHostName(name)) throw new RangeError(`Not a host name in canonical form: ${name}`)
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name, 'ascii')])
}

/** The caller has checked that no string holds a NUL. */
export function encodeExec(command: ExecCommand): Buffer {
  const environment = Object.entries(command.env)
  const fixed = Buffer.alloc(9)
  fixed.writeUInt8(command.terminal ? 1 : 0, 0)
  fixed.writeUInt16BE(command.terminal?.rows ?? 0, 1)
  fixed.writeUInt16BE(command.terminal?.columns ?? 0, 3)
  fixed.writeUInt16BE(command.argv.length, 5)
  fixed.writeUInt16BE(environment.length, 7)
  const variables = environment.map(([name, value]) => `${name}=${value}`)
  const strings = [command.cwd, ...command.argv, ...variables, '']
  return Buffer.concat([fixed, Buffer.from(strings.join('\0'), 'utf8')])
}

export function encodePut(path: string, mode: number): Buffer {
  const fixed = Buffer.alloc(2)
  fixed.writeUInt16BE(mode, 0)
  return Buffer.concat([fixed, Buffer.from(path, 'utf8')])
}

export function encodeGet(path: string, limitBytes: number): Buffer {
  const fixed = Buffer.alloc(8)
  fixed.writeBigUInt64BE(BigInt(limitBytes), 0)
  return Buffer.concat([fixed, Buffer.from(path, 'utf8')])
}

export function parseHello(payload: Buffer): GuestHello {
  if (payload.readUInt32BE(0) !== HELLO_MAGIC)
    throw new ProtocolViolation('The guest did not say hello')
  const features = payload.readUInt16BE(6)
  const restored = (features & 16) !== 0
  const machine = (features & 4) !== 0
  const odd = features > 31 || (features > 7 && !machine)
  if (odd || payload.length !== (restored ? 8 + GENERATION_BYTES : 8))
    throw new ProtocolViolation(`Unknown features in hello: ${features}`)
  return {
    version: payload.readUInt16BE(4),
    isInit: (features & 1) !== 0,
    terminal: (features & 2) !== 0,
    machine,
    generation: restored ? payload.subarray(8) : undefined,
  }
}

export function parseConfigured(payload: Buffer): GuestConfigured {
  const flags = payload.readUInt8(0)
  const count = payload.readUInt8(1)
  const isMachine = (flags & 2) !== 0
  const text = payload.toString('latin1', isMachine ? 2 + PROOF_BYTES : 2)
  const words = text === '' ? [] : text.split(' ')
  const steps = isMachine ? reseedSteps.length : 0
  const valid =
    flags <= 3 && words.length === steps + count && words.every((w) => /^(OK|E[A-Z0-9]+)$/.test(w))
  if (!valid) throw new ProtocolViolation('Malformed CONFIGURED')
  const failures = words.map((word) => (word === 'OK' ? undefined : word))
  return {
    dns: (flags & 1) !== 0,
    listeners: failures.slice(steps),
    reseed: isMachine
      ? reseedReport(payload.subarray(2, 2 + PROOF_BYTES), failures.slice(0, steps))
      : undefined,
  }
}

export function parseStatsReply(payload: Buffer): { id: number; stats: SandboxStats } {
  return {
    id: payload.readUInt32BE(0),
    stats: {
      cpuMs: quantity(payload, 4) / 1000,
      memoryBytes: quantity(payload, 12),
      memoryPeakBytes: quantity(payload, 20),
      pids: payload.readUInt32BE(28),
      ioReadBytes: quantity(payload, 32),
      ioWriteBytes: quantity(payload, 40),
    },
  }
}

export function parseExit(payload: Buffer): Exit {
  const how = payload.readUInt8(0)
  const value = payload.readUInt8(1)
  const flags = payload.readUInt16BE(2)
  if (how > 1 || flags > 7 || (how === 1 && (value < 1 || value > 64)))
    throw new ProtocolViolation('Malformed EXIT')
  return {
    code: how === 0 ? value : undefined,
    signal: how === 1 ? signalName(value) : undefined,
    usage: {
      cpuUserMs: quantity(payload, 4) / 1000,
      cpuSystemMs: quantity(payload, 12) / 1000,
      maxRssBytes: quantity(payload, 20),
    },
    cause: limitMet(flags),
  }
}

/** Of several the one that ends commands most surely. */
function limitMet(flags: number): LimitCause | undefined {
  if ((flags & exitFlag.oomKill) !== 0) return 'memory_limit'
  if ((flags & exitFlag.pidsRefused) !== 0) return 'pids_limit'
  return (flags & exitFlag.diskFull) !== 0 ? 'disk_limit' : undefined
}

export function parseConnect(payload: Buffer): ConnectTarget {
  const kind = payload.readUInt8(0)
  const port = payload.readUInt16BE(1)
  const host = payload.toString('latin1', 3)
  const bare = port === 0 && host === ''
  if (kind === target['agent-api'] && bare) return { kind: 'agent-api' }
  if (kind === target.proxy && bare) return { kind: 'proxy' }
  const valid = port !== 0 && (isHostName(host) || isIpv4(host) || isIpv6(host))
  if (kind !== target.tcp || !valid) throw new ProtocolViolation('Malformed CONNECT')
  return { kind: 'tcp', host, port }
}

export function parseNotice(payload: Buffer): SandboxNotice {
  const kind = payload.readUInt8(0)
  if (kind === notice.connectDenied) return parseConnectDenied(payload)
  const name = payload.toString('latin1', 1)
  if ((kind !== notice.dnsDenied && kind !== notice.dnsAnswered) || !isDnsName(name))
    throw new ProtocolViolation('Malformed NOTICE')
  return { kind: kind === notice.dnsDenied ? 'dns-denied' : 'dns-answered', name }
}

const protocols = new Map<number, 'tcp' | 'udp'>([
  [6, 'tcp'],
  [17, 'udp'],
])

/** protocol u8 · family u8 · port u16 · address, or the name that has it */
function parseConnectDenied(payload: Buffer): SandboxNotice {
  if (payload.length <= 5) throw new ProtocolViolation('Malformed NOTICE')
  const protocol = protocols.get(payload.readUInt8(1))
  const port = payload.readUInt16BE(3)
  const address = parseDestination(payload.readUInt8(2), payload.subarray(5))
  if (protocol === undefined || port === 0 || address === undefined)
    throw new ProtocolViolation('Malformed NOTICE')
  return { kind: 'connect-denied', protocol, address, port }
}

function parseDestination(family: number, bytes: Buffer): string | undefined {
  if (family === 4 && bytes.length === 4) return ipv4Text(bytes.readUInt32BE())
  if (family === 6 && bytes.length === 16) return ipv6Text(bytes)
  const name = bytes.toString('latin1')
  return family === 0 && isHostName(name) ? name : undefined
}

/** @throws ProtocolViolation unless empty or `step ERRNO` */
export function parseClose(frame: Frame): CloseReason {
  if (frame.payload.length === 0) return undefined
  const reason = parseReason(frame.payload)
  if (frame.type !== FrameType.close || !reason) throw new ProtocolViolation('Malformed CLOSE')
  return reason
}

/** A count that a guest claims; beyond 2^53 it cannot be true. */
function quantity(payload: Buffer, at: number): number {
  const value = payload.readBigUInt64BE(at)
  if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolViolation('A number beyond all measure')
  return Number(value)
}
