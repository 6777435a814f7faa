import type { IncomingMessage } from 'node:http'
import type { EgressSession } from '../egress/egress-session.ts'
import { subjectOf } from '../egress/subject-of.ts'
import { parseAuthority, sameOrigin } from './http/authority.ts'
import type { WebsocketEnd } from './http/relay-websocket.ts'
import { deniedByPolicy, requestFault } from './http/request-fault.ts'
import { endWith } from './http/serve-requests.ts'
import { PlaceholderLeak } from './placeholder-scanner.ts'
import { secretWatchOf } from './secret-watch.ts'

/**
 * Answers CONNECT: with 200 where the policy permits the destination, whose tunnel the stream then is.
 * Nothing has been looked up or dialled by then.
 */
export function serveConnect(
  session: EgressSession,
  request: IncomingMessage,
  { stream, head }: WebsocketEnd,
): void {
  try {
    const { host, port } = readDestination(session, request)
    const decision = session.permit({ action: 'network.connect', host, port })
    if (!decision.allow) throw deniedByPolicy('egress', decision)
    stream.write('HTTP/1.1 200 Connection established\r\n\r\n')
    if (head.length > 0) stream.unshift(head)
    session.tunnel(stream, { host, port, via: 'proxy' })
  } catch (error) {
    endWith(stream, error)
  }
}

function readDestination(
  session: EgressSession,
  { url = '', headers, rawHeaders }: IncomingMessage,
) {
  const written = url.slice(0, 300)
  const refuse = (code: string, reason: string, remedy: string) => {
    session.deny({ action: 'network.connect', subject: written, code, reason })
    return requestFault('invalid', code, reason, { remedy })
  }
  const leaked = secretWatchOf(session.identity)?.scanner.find(url)
  if (leaked !== undefined) {
    const leak = new PlaceholderLeak(leaked)
    const subject = `${leaked.name} -> ${written.slice(-80)}`.replaceAll(leaked.placeholder, '…')
    session.deny({ action: 'secret.use', subject, code: leak.code, reason: leak.message })
    throw leak
  }
  const target = parseAuthority(url, undefined)
  if (target === undefined) {
    throw refuse(
      'egress.bad-host',
      'CONNECT names no host and port that every program would read alike.',
      'Write CONNECT host:port HTTP/1.1, an IPv6 address in brackets.',
    )
  }
  const framed = ['content-length', 'transfer-encoding'].some((name) => headers[name] !== undefined)
  if (framed || rawHeaders.length > 2 * 100) {
    throw refuse('egress.request-smuggling', 'CONNECT has no body.', 'Send it without one.')
  }
  const named = headers.host === undefined ? target : parseAuthority(headers.host, target.port)
  if (named === undefined || !sameOrigin(named, target)) {
    throw refuse(
      'egress.host-mismatch',
      `CONNECT to ${subjectOf(target.host, target.port)} has a Host header of another host.`,
      'Send the same host in both, or no Host header.',
    )
  }
  return target
}
