import { limits } from '../limits.ts'

/** What a ClientHello tells before anything is encrypted. */
export interface ClientHello {
  /** As the client wrote it. */
  readonly serverName: string | undefined
  readonly protocols: readonly string[]
  /** It asks for encrypted_client_hello, so that the name above may not be the one that counts. */
  readonly encrypted: boolean
}

export type HelloReading =
  | { readonly kind: 'more' }
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  | { readonly kind: 'malformed'; readonly reason: string }

/** Whether bytes begin as TLS does: a handshake record of a version 3.x. */
export const beginsAsTls = (bytes: Buffer): boolean =>
  bytes[0] === recordOfHandshake && (bytes.length < 2 || bytes[1] === 3)

/**
 * Reads the ClientHello at the beginning of `bytes`, over any number of fragments and a bounded number
 * of records. Strict: what two programs could read differently is malformed.
 */
export function readClientHello(bytes: Buffer): HelloReading {
  const parts: Buffer[] = []
  let gathered = 0
  let wanted = messageHead
  let at = 0
  for (let records = 0; gathered < wanted; records += 1) {
    if (records === limits.clientHelloRecords || at > limits.clientHelloBytes) {
      return malformed(`is spread over more than ${limits.clientHelloRecords} records or too long`)
    }
    if (bytes.length < at + recordHead) return partial(bytes, at)
    if (bytes[at] !== recordOfHandshake || bytes[at + 1] !== 3) {
      return malformed('is interrupted by another record')
    }
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > longestRecord) return malformed('has a record of a wrong length')
    const part = bytes.subarray(at + recordHead, at + recordHead + length)
    parts.push(part)
    gathered += part.length
    if (wanted === messageHead && gathered >= messageHead) {
      const head = parts.length === 1 ? part : Buffer.concat(parts)
      if (head[0] !== clientHello) return malformed('is no ClientHello')
      wanted = messageHead + head.readUIntBE(1, 3)
      if (wanted > limits.clientHelloBytes) {
        return malformed(`is longer than ${limits.clientHelloBytes} bytes`)
      }
    }
    if (part.length < length && gathered < wanted) return { kind: 'more' }
    at += recordHead + length
  }
  // Another message behind it in the same record could be another hello.
  if (gathered > wanted) return malformed('does not stand alone in its record')
  return parseHello(Buffer.concat(parts))
}

/** Reads the whole message of a ClientHello, without its records. */
export function parseHello(message: Buffer): Exclude<HelloReading, { kind: 'more' }> {
  try {
    return { kind: 'hello', hello: parseBody(makeReader(message.subarray(messageHead))) }
  } catch (error) {
    if (error instanceof Malformed) return malformed(error.message)
    throw error
  }
}

const recordOfHandshake = 22
const clientHello = 1
const recordHead = 5
const messageHead = 4
/** RFC 8446, 5.1. */
const longestRecord = 2 ** 14
const extensions = { serverName: 0, protocols: 16, encryptedHello: 0xfe0d }

function partial(bytes: Buffer, at: number): HelloReading {
  const wrong =
    (bytes.length > at && bytes[at] !== recordOfHandshake) ||
    (bytes.length > at + 1 && bytes[at + 1] !== 3)
  return wrong ? malformed('is interrupted by another record') : { kind: 'more' }
}

/** RFC 8446, 4.1.2; RFC 5246, 7.4.1.2. */
function parseBody(body: Reader): ClientHello {
  body.take(2, 'version')
  body.take(32, 'random')
  body.vector(1, 0, 32, 'session id')
  const suites = body.vector(2, 2, 2 ** 16 - 2, 'cipher suites')
  if (suites.length % 2 !== 0) throw new Malformed('has half a cipher suite')
  body.vector(1, 1, 255, 'compression methods')
  const found = new Map<number, Buffer>()
  if (!body.done()) {
    const all = makeReader(body.vector(2, 0, 2 ** 16 - 1, 'extensions'))
    while (!all.done()) {
      const type = all.number(2, 'extension')
      const data = all.vector(2, 0, 2 ** 16 - 1, 'extension')
      if (found.has(type)) throw new Malformed(`has extension ${type} twice`)
      found.set(type, data)
    }
  }
  if (!body.done()) throw new Malformed('has bytes behind its extensions')
  return {
    serverName: serverNameOf(found.get(extensions.serverName)),
    protocols: protocolsOf(found.get(extensions.protocols)),
    encrypted: found.has(extensions.encryptedHello),
  }
}

/** RFC 6066, 3: one name, of the type host_name. */
function serverNameOf(data: Buffer | undefined): string | undefined {
  if (data === undefined) return undefined
  const outer = makeReader(data)
  const list = makeReader(outer.vector(2, 1, 2 ** 16 - 1, 'server name'))
  const type = list.number(1, 'server name')
  const name = list.vector(2, 1, 255, 'server name')
  if (type !== 0 || !list.done() || !outer.done())
    throw new Malformed('has more than one server name')
  if (!name.every((byte) => byte > 0x20 && byte < 0x7f)) {
    throw new Malformed('has a server name that is not ASCII')
  }
  return name.toString('latin1')
}

/** RFC 7301, 3.1. */
function protocolsOf(data: Buffer | undefined): readonly string[] {
  if (data === undefined) return []
  const outer = makeReader(data)
  const list = makeReader(outer.vector(2, 2, 2 ** 16 - 1, 'protocol list'))
  const protocols: string[] = []
  while (!list.done()) protocols.push(list.vector(1, 1, 255, 'protocol').toString('latin1'))
  if (!outer.done()) throw new Malformed('has bytes behind its protocols')
  return protocols
}

/** Goes through bytes once; every step says what it is about. */
interface Reader {
  take(count: number, what: string): Buffer
  number(size: 1 | 2, what: string): number
  /** Bytes behind a length of `size` bytes, which is at least `least` and at most `most`. */
  vector(size: 1 | 2, least: number, most: number, what: string): Buffer
  done(): boolean
}

function makeReader(bytes: Buffer): Reader {
  let at = 0
  const reader: Reader = {
    take(count, what) {
      if (at + count > bytes.length) throw new Malformed(`ends in the middle of its ${what}`)
      at += count
      return bytes.subarray(at - count, at)
    },
    number: (size, what) => reader.take(size, what).readUIntBE(0, size),
    vector(size, least, most, what) {
      const length = reader.number(size, what)
      if (length < least || length > most) throw new Malformed(`has a wrong length of its ${what}`)
      return reader.take(length, what)
    },
    done: () => at === bytes.length,
  }
  return reader
}

class Malformed extends Error {}

const malformed = (reason: string) => ({
  kind: 'malformed' as const,
  reason: `The ClientHello ${reason}.`,
})
