import { ipv4Address, ipv6Address } from './ip-address.ts'

/** What a client of SOCKS 5 says, step by step (RFC 1928, RFC 1929). */
export type Parsed<Value> =
  | { readonly kind: 'more' }
  | { readonly kind: 'value'; readonly value: Value; readonly length: number }
  | { readonly kind: 'malformed' }

export type SocksRequest =
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  /** BIND, or datagrams. */
  | { readonly kind: 'unsupported-command' }
  /** No name, and of neither family. */
  | { readonly kind: 'unknown-address' }

export const socksVersion = 5

/** The methods of authentication that the client offers. */
export function parseGreeting(bytes: Buffer): Parsed<readonly number[]> {
  const [version, count] = bytes
  if (version !== undefined && version !== socksVersion) return malformed
  if (count === undefined) return more
  if (count === 0) return malformed
  const length = 2 + count
  return bytes.length < length ? more : readValue([...bytes.subarray(2, length)], length)
}

/** Name and password, which nobody asked for: read past, and forgotten. */
export function parseCredentials(bytes: Buffer): Parsed<'read'> {
  const [version, nameLength] = bytes
  if (version !== undefined && version !== 1) return malformed
  if (nameLength === undefined) return more
  const passwordLength = bytes[2 + nameLength]
  if (passwordLength === undefined) return more
  const length = 3 + nameLength + passwordLength
  return bytes.length < length ? more : readValue('read', length)
}

export function parseRequest(bytes: Buffer): Parsed<SocksRequest> {
  const [version, command, reserved, type] = bytes
  if (version !== undefined && version !== socksVersion) return malformed
  if (reserved !== undefined && reserved !== 0) return malformed
  if (type === undefined) return more
  const address = parseAddress(type, bytes.subarray(head))
  if (address === 'unknown') return readValue({ kind: 'unknown-address' }, head)
  if (address.kind !== 'value') return address
  const length = head + address.length + 2
  if (bytes.length < length) return more
  if (command !== connectCommand) return readValue({ kind: 'unsupported-command' }, length)
  const port = bytes.readUInt16BE(length - 2)
  return readValue({ kind: 'connect', host: address.value, port }, length)
}

const head = 4
const connectCommand = 1

const more = { kind: 'more' } as const
const malformed = { kind: 'malformed' } as const

function readValue<Value>(value: Value, length: number): Parsed<Value> {
  return { kind: 'value', value, length }
}

function parseAddress(type: number, bytes: Buffer): Parsed<string> | 'unknown' {
  switch (type) {
    case 1:
      return bytes.length < 4 ? more : readValue(ipv4Address(BigInt(bytes.readUInt32BE(0))).text, 4)
    case 3: {
      const [size] = bytes
      if (size === undefined) return more
      if (size === 0) return malformed
      const length = 1 + size
      return bytes.length < length ? more : readValue(bytes.toString('latin1', 1, length), length)
    }
    case 4: {
      if (bytes.length < 16) return more
      return readValue(ipv6Address(BigInt(`0x${bytes.toString('hex', 0, 16)}`)).text, 16)
    }
    default:
      return 'unknown'
  }
}
