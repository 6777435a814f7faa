import type { Duplex } from 'node:stream'
import { limits } from '../limits.ts'
import { canonicalHost } from './canonical-host.ts'
import type { EgressSession } from './egress-session.ts'
import { peekBytes } from './peek-bytes.ts'
import {
  type Parsed,
  parseCredentials,
  parseGreeting,
  parseRequest,
  type SocksRequest,
  socksVersion,
} from './socks-request.ts'
import { subjectOf } from './subject-of.ts'

/** Serves a client of SOCKS 5 up to the first byte for its host, which the tunnel gets. */
export async function serveSocks(session: EgressSession, stream: Duplex): Promise<void> {
  const methods = await readStep(session, stream, parseGreeting)
  if (methods === undefined) return
  const method = [noAuthentication, password].find((known) => methods.includes(known))
  stream.write(Buffer.of(socksVersion, method ?? noAcceptable))
  if (method === undefined) {
    const reason =
      'The SOCKS client wants a way to authenticate that is not known here; it needs none.'
    refuse(session, stream, 'egress.socks-method', reason)
    return
  }
  if (method === password) {
    if ((await readStep(session, stream, parseCredentials)) === undefined) return
    stream.write(Buffer.of(1, 0))
  }
  const request = await readStep(session, stream, parseRequest)
  if (request !== undefined) answer(session, stream, request)
}

function answer(session: EgressSession, stream: Duplex, request: SocksRequest): void {
  switch (request.kind) {
    case 'unsupported-command': {
      reply(stream, replies.unsupportedCommand)
      const reason = 'The proxy knows CONNECT alone: no connections to the sandbox, no datagrams.'
      refuse(session, stream, 'egress.socks-command', reason)
      break
    }
    case 'unknown-address':
      reply(stream, replies.unknownAddress)
      refuse(session, stream, 'egress.socks-address', 'The proxy knows names, IPv4 and IPv6.')
      break
    case 'connect':
      connect(session, stream, request)
  }
}

function connect(
  session: EgressSession,
  stream: Duplex,
  { host, port }: { readonly host: string; readonly port: number },
): void {
  const named = canonicalHost(host)
  if (named.kind === 'refused' || port === 0) {
    reply(stream, replies.notPermitted)
    const reason = named.kind === 'refused' ? named.reason : 'Port 0 is none.'
    refuse(session, stream, 'egress.bad-host', reason, subjectOf(host, port))
  } else if (session.permit({ action: 'network.connect', host: named.host, port }).allow) {
    reply(stream, replies.succeeded)
    session.tunnel(stream, { host: named.host, port, via: 'proxy' })
  } else {
    reply(stream, replies.notPermitted)
    hangUp(stream)
  }
}

/** One step of the client; undefined when it left, or was refused for what it said. */
async function readStep<Value>(
  session: EgressSession,
  stream: Duplex,
  parse: (bytes: Buffer) => Parsed<Value>,
): Promise<Value | undefined> {
  const tell = (bytes: Buffer) => {
    const parsed = parse(bytes)
    return parsed.kind === 'more' ? undefined : parsed
  }
  const { firstBytesMs } = limits
  const peeked = await peekBytes(stream, tell, { firstMs: firstBytesMs, toldMs: firstBytesMs })
  if (peeked.kind === 'told' && peeked.told.kind === 'value') {
    stream.read(peeked.told.length)
    return peeked.told.value
  }
  if (peeked.kind === 'told') {
    const reason = 'The client of the proxy does not speak SOCKS 5 as RFC 1928 has it.'
    refuse(session, stream, 'egress.socks-malformed', reason)
  } else stream.destroy()
  return undefined
}

const noAuthentication = 0
const password = 2
const noAcceptable = 0xff

/** RFC 1928, 6. */
const replies = { succeeded: 0, notPermitted: 2, unsupportedCommand: 7, unknownAddress: 8 }

/** The address that the reply has to hold means nothing to a client of CONNECT. */
const reply = (stream: Duplex, code: number): void =>
  void stream.write(Buffer.of(socksVersion, code, 0, 1, 0, 0, 0, 0, 0, 0))

function refuse(
  session: EgressSession,
  stream: Duplex,
  code: string,
  reason: string,
  subject = 'proxy',
): void {
  session.deny({ action: 'network.connect', subject, code, reason })
  hangUp(stream)
}

/** Lets the last reply go out, but waits for a client that does not read it no longer than a moment. */
function hangUp(stream: Duplex): void {
  const timer = setTimeout(() => stream.destroy(), limits.lingerMs)
  stream.once('close', () => clearTimeout(timer))
  stream.end(() => stream.destroy())
}
