import { AegisError } from '@aegis/core'
import { limits } from '../limits.ts'
import { type ClientHello, parseHello } from './client-hello.ts'
import { nothing, type OutgoingWatch } from './outgoing-watch.ts'

/**
 * Watches what a client sends on a TLS connection that passes unread. Its first hello was judged, but
 * a second one could name another server: in plain, when the server asks for another try, and then
 * `judge` gets it too; or encrypted, to negotiate anew, which is refused. Heads of records pass when
 * they are whole, and so do records of the handshake.
 */
export function watchTls(judge: (hello: ClientHello) => void): OutgoingWatch {
  const handshake = makeHandshakeWatch(judge)
  let held = Buffer.alloc(0)
  /** Bytes still to come of a record that passes. */
  let left = 0

  return {
    pass(chunk) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      let at = 0
      while (at < bytes.length) {
        const passing = Math.min(left, bytes.length - at)
        at += passing
        left -= passing
        if (bytes.length - at < recordHead) break
        const type = bytes[at]
        const length = bytes.readUInt16BE(at + 3)
        if (bytes[at + 1] !== 3 || length > longestRecord) throw broken()
        if (type === types.handshake) {
          const end = at + recordHead + length
          if (bytes.length < end) break
          handshake.record(bytes.subarray(at + recordHead, end))
          at = end
        } else {
          handshake.other(type)
          at += recordHead
          left = length
        }
      }
      held = Buffer.from(bytes.subarray(at))
      return bytes.subarray(0, at)
    },
    // Half a record is worth nothing.
    end: () => nothing,
  }
}

/** RFC 8446, 5.1; the length is the one that RFC 5246 grants to what is encrypted. */
const recordHead = 5
const longestRecord = 2 ** 14 + 2048
const types = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 }
const messageHead = 4
const clientHello = 1

interface HandshakeWatch {
  /** A whole record of the handshake. */
  record(bytes: Buffer): void
  /** The head of a record of another type. */
  other(type: number | undefined): void
}

function makeHandshakeWatch(judge: (hello: ClientHello) => void): HandshakeWatch {
  let changed = false
  let data = false
  let finished = false
  /** Of the plain message that has begun: its bytes, unless they are only counted. */
  let message = Buffer.alloc(0)
  let skipped = 0

  /** Goes through plain messages, which may share records or be spread over some. */
  function read(bytes: Buffer): void {
    let rest = bytes
    while (rest.length > 0) {
      const skipping = Math.min(skipped, rest.length)
      skipped -= skipping
      message = Buffer.concat([message, rest.subarray(skipping)])
      rest = Buffer.alloc(0)
      if (message.length < messageHead) return
      const length = messageHead + message.readUIntBE(1, 3)
      if (message[0] !== clientHello) {
        skipped = Math.max(0, length - message.length)
        rest = message.subarray(length)
        message = Buffer.alloc(0)
        continue
      }
      if (length > limits.clientHelloBytes) throw broken()
      if (message.length < length) return
      const reading = parseHello(message.subarray(0, length))
      if (reading.kind === 'malformed') throw refusal('egress.malformed', reading.reason)
      judge(reading.hello)
      rest = message.subarray(length)
      message = Buffer.alloc(0)
    }
  }

  return {
    record(bytes) {
      if (bytes.length === 0) throw broken()
      if (!changed && !data) return read(bytes)
      if (message.length > 0 || skipped > 0 || beginsAsHello(bytes)) return read(bytes)
      // The one encrypted message that ends a handshake of TLS 1.2. What follows it would be another.
      if (finished || data) {
        const reason =
          'The TLS client negotiates anew, with a hello that cannot be read. Switch that off.'
        throw refusal('egress.tls-renegotiation', reason)
      }
      // Shorter ones could be the beginning of anything.
      if (bytes.length < shortestFinished) throw broken()
      finished = true
    },
    other(type) {
      if (type === types.changeCipherSpec) changed = true
      else if (type === types.data) data = true
      else if (type !== types.alert) throw broken()
    },
  }
}

/** A head of a message, and 12 bytes, encrypted or not. */
const shortestFinished = 16

/** Type, length below 64 KiB, and the version that all hellos have had since TLS 1.2. */
const beginsAsHello = (bytes: Buffer): boolean =>
  bytes[0] === clientHello && bytes[1] === 0 && bytes[4] === 3 && bytes[5] === 3

const refusal = (code: string, reason: string): AegisError => new AegisError('denied', code, reason)

const broken = (): AegisError =>
  refusal('egress.malformed', 'The client sends what is no record of TLS.')
