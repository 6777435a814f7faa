import type { ConnectTarget, ExecCommand, Exit, LimitCause, SandboxStats } from '@aegis/core'
import { type Frame, FrameType, ProtocolViolation } from './frame.ts'
import { HELLO_MAGIC, LISTENERS_MAX, NAME_MAX_BYTES, NAMES_MAX } from './limits.ts'
import { signalName } from './signals.ts'

/** Where the guest listens inside, and what a connection to it means. */
export interface GuestListener {
  readonly target: 'agent-api' | 'tcp'
  /** IPv4, dotted. */
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

export interface GuestConfiguration {
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly listeners: readonly GuestListener[]
  readonly names: readonly GuestName[]
}

/** What the guest said about itself. */
export interface GuestHello {
  readonly version: number
  /** It is the init of its PID namespace. */
  readonly isInit: boolean
  readonly terminal: boolean
}

export interface GuestConfigured {
  readonly dns: boolean
  /** Per listener: undefined when it is open, else the errno's name. */
  readonly listeners: readonly (string | undefined)[]
}

/** How a channel was closed: in good order, or at which step and with which errno it failed. */
export type CloseReason = undefined | { readonly step: string; readonly errno: string }

const exitFlag = { diskFull: 1, oomKill: 2, pidsRefused: 4 } as const
const target = { 'agent-api': 0, tcp: 1 } as const
const hostName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/

function ipv4(text: string): number {
  const parts = text.split('.').map(Number)
  const valid = parts.length === 4 && parts.every((n) => Number.isInteger(n) && n >= 0 && n < 256)
  if (!valid) throw new RangeError(`Not an IPv4 address: ${text}`)
  return parts.reduce((all, part) => all * 256 + part, 0)
}

export function encodeConfiguration(configuration: GuestConfiguration): Buffer {
  const { user, listeners, names } = configuration
  if (listeners.length > LISTENERS_MAX || names.length > NAMES_MAX)
    throw new RangeError(`A guest takes ${LISTENERS_MAX} listeners and ${NAMES_MAX} names`)
  const fixed = Buffer.alloc(13)
  fixed.writeUInt8((user ? 1 : 0) | 2, 0)
  fixed.writeUInt32BE(user?.uid ?? 0, 1)
  fixed.writeUInt32BE(user?.gid ?? 0, 5)
  fixed.writeUInt16BE(listeners.length, 9)
  fixed.writeUInt16BE(names.length, 11)
  const parts: Buffer[] = [fixed]
  for (const listener of listeners) {
    const entry = Buffer.alloc(7)
    entry.writeUInt8(target[listener.target], 0)
    entry.writeUInt32BE(ipv4(listener.address), 1)
    entry.writeUInt16BE(listener.port, 5)
    parts.push(entry)
  }
  for (const { name, address } of names) {
    if (name.length > NAME_MAX_BYTES || !hostName.test(name))
      throw new RangeError(`Not a host name in canonical form: ${name}`)
    const entry = Buffer.alloc(5)
    entry.writeUInt32BE(ipv4(address), 0)
    entry.writeUInt8(name.length, 4)
    parts.push(entry, Buffer.from(name, 'ascii'))
  }
  return Buffer.concat(parts)
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
  if (features > 3) throw new ProtocolViolation(`Unknown features in hello: ${features}`)
  return {
    version: payload.readUInt16BE(4),
    isInit: (features & 1) !== 0,
    terminal: (features & 2) !== 0,
  }
}

export function parseConfigured(payload: Buffer): GuestConfigured {
  const flags = payload.readUInt8(0)
  const count = payload.readUInt8(1)
  const text = payload.toString('latin1', 2)
  const words = text === '' ? [] : text.split(' ')
  const valid =
    flags <= 1 && words.length === count && words.every((w) => /^(OK|E[A-Z0-9]+)$/.test(w))
  if (!valid) throw new ProtocolViolation('Malformed CONFIGURED')
  return { dns: flags === 1, listeners: words.map((word) => (word === 'OK' ? undefined : word)) }
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
  if (kind === target['agent-api'] && port === 0 && host === '') return { kind: 'agent-api' }
  if (kind !== target.tcp || port === 0 || !hostName.test(host))
    throw new ProtocolViolation('Malformed CONNECT')
  return { kind: 'tcp', host, port }
}

export function parseDeniedName(payload: Buffer): string {
  const name = payload.toString('latin1', 1)
  if (payload.readUInt8(0) !== 1 || !hostName.test(name))
    throw new ProtocolViolation('Malformed NOTICE')
  return name
}

/** @throws ProtocolViolation unless empty or `step ERRNO` */
export function parseClose(frame: Frame): CloseReason {
  if (frame.payload.length === 0) return undefined
  const match = /^([a-z]{1,16}) (E[A-Z0-9]{1,20})$/.exec(frame.payload.toString('latin1'))
  if (frame.type !== FrameType.close || !match?.[1] || !match[2])
    throw new ProtocolViolation('Malformed CLOSE')
  return { step: match[1], errno: match[2] }
}

/** A count that a guest claims; beyond 2^53 it cannot be true. */
function quantity(payload: Buffer, at: number): number {
  const value = payload.readBigUInt64BE(at)
  if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolViolation('A number beyond all measure')
  return Number(value)
}
