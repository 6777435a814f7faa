import type { Duplex } from 'node:stream'
import { AegisError, type PolicyDecision } from '@aegis/core'
import { PlaceholderLeak } from '../inspect/placeholder-scanner.ts'
import { limits } from '../limits.ts'
import { canonicalHost } from './canonical-host.ts'
import type { Connection } from './connection.ts'
import type { EgressSession, Inspector, TunnelTarget } from './egress-session.ts'
import { type Spoken, tellProtocol } from './first-bytes.ts'
import { refuseEncryptedHello, refuseHello } from './judge-hello.ts'
import type { OpenConnection } from './open-connection.ts'
import type { OutgoingWatch } from './outgoing-watch.ts'
import { type Peeked, peekBytes } from './peek-bytes.ts'
import { openRelay, type Relay } from './relay.ts'
import { type Route, routeFirstBytes, type Unread, unreadOf } from './route-first-bytes.ts'
import { subjectOf } from './subject-of.ts'
import { watchPlaceholders } from './watch-placeholders.ts'
import { watchTls } from './watch-tls.ts'

export interface TunnelDeps {
  readonly session: EgressSession
  readonly inspector: Inspector
  readonly open: OpenConnection
}

/** Serves a stream whose client believes to talk to a host. It rejects only for a bug. */
export type ServeTunnel = (stream: Duplex, asked: TunnelTarget) => Promise<void>

export function makeServeTunnel({ session, inspector, open }: TunnelDeps): ServeTunnel {
  const { policy, egress } = session.identity

  /** The target in canonical form, where the policy permits it. */
  function admit(stream: Duplex, asked: TunnelTarget): Permitted | undefined {
    const named = canonicalHost(asked.host)
    const { port, via } = asked
    if (named.kind === 'refused' || !isPort(port)) {
      const reason = named.kind === 'refused' ? named.reason : 'A port is a number from 1 to 65535.'
      refuse(stream, asked, { code: 'egress.bad-host', reason })
      return undefined
    }
    const { host } = named
    const decision = session.permit({ action: 'network.connect', host, port })
    if (decision.allow) return { host, port, via, decision, unread: unreadOf(egress, named, port) }
    stream.destroy()
    return undefined
  }

  /** The client waits for its server's first word. What it says after that is judged all the same. */
  async function letServerBegin(stream: Duplex, target: Permitted): Promise<void> {
    const connection = await dial(stream, target)
    if (connection === undefined) return
    const relay = relayTo(stream, connection, target)
    const later = await peekBytes(stream, tellProtocol, { toldMs: limits.firstBytesMs })
    if (later.kind === 'closed') return
    const route = later.kind === 'ended' ? opaque : lateRoute(relay, routeOf(later, target))
    switch (route.kind) {
      case 'opaque':
        relay.sendOn(watchOf(target, route))
        break
      case 'refused':
        connection.end({ cause: route.code })
        refuse(stream, target, route)
        break
      case 'inspect':
        relay.part('egress.read-instead')
        inspect(stream, target, route)
    }
  }

  function routeOf(first: Peeked<Spoken>, target: Permitted): Route {
    if (first.kind !== 'told')
      return tooLate(first.kind === 'undecided' ? 'only a part' : 'nothing')
    const { told } = first
    const opensTls = told.kind === 'tls' && inspector.opensTls(session, target.host, target.port)
    return routeFirstBytes(policy, target, target.unread, told, opensTls)
  }

  function inspect(stream: Duplex, { host, port, via }: Permitted, { as }: { as: 'tls' | 'http' }) {
    if (as === 'tls') inspector.serveTls(session, stream, { host, port, via })
    else inspector.serveHttp(session, stream, { host, port, via })
  }

  const relayTo = (stream: Duplex, connection: Connection, target: Permitted): Relay =>
    openRelay(stream, connection, {
      lingerMs: egress.limits.idleTimeoutMs,
      onRefusal: (refusal) => stop(stream, target, refusal),
    })

  /** What is looked for in bytes that pass unread. */
  function watchOf(target: Permitted, { tls }: { readonly tls: boolean }): OutgoingWatch {
    if (!tls) return watchPlaceholders(session.identity)
    return watchTls((hello) => {
      const refusal = refuseHello(policy, target, hello) ?? refuseEncryptedHello(target.host, hello)
      if (refusal !== undefined) throw new AegisError('denied', refusal.code, refusal.reason)
    })
  }

  async function dial(stream: Duplex, target: Permitted): Promise<Connection | undefined> {
    const gone = new AbortController()
    const leave = (): void => gone.abort(new AegisError('cancelled', 'egress.gone', 'Client left'))
    stream.once('close', leave)
    if (stream.destroyed) leave()
    try {
      return await open({ ...target, reading: 'opaque' }, gone.signal)
    } catch (error) {
      stream.destroy()
      if (error instanceof AegisError) return undefined
      throw error
    } finally {
      stream.off('close', leave)
    }
  }

  function refuse(stream: Duplex, { host, port }: TunnelTarget, { code, reason }: Refusal): void {
    stream.destroy()
    session.deny({ action: 'network.connect', subject: subjectOf(host, port), code, reason })
  }

  /** Ends what was passing, for what its client sent. */
  function stop(stream: Duplex, target: Permitted, refusal: AegisError): void {
    const { code, message: reason } = refusal
    if (refusal instanceof PlaceholderLeak) {
      stream.destroy()
      const subject = `${refusal.secret.name} -> ${subjectOf(target.host, target.port)}`
      session.deny({ action: 'secret.use', subject, code, reason })
    } else refuse(stream, target, { code, reason })
  }

  return async (stream, asked) => {
    const target = admit(stream, asked)
    if (target === undefined) return
    // Where only HTTP or TLS may be spoken the client begins, and nothing is dialled before it does.
    const serverMayBegin = target.unread.otherProtocols
    const firstMs = serverMayBegin ? limits.silentClientMs : limits.firstBytesMs
    const first = await peekBytes(stream, tellProtocol, { firstMs, toldMs: limits.firstBytesMs })
    const silent = first.kind === 'silent' || first.kind === 'ended'
    if (silent && serverMayBegin) return letServerBegin(stream, target)
    // A client that left without a word: there is nothing to record.
    if (first.kind === 'ended' || first.kind === 'closed') return void stream.destroy()
    const route = routeOf(first, target)
    if (route.kind === 'refused') refuse(stream, target, route)
    else if (route.kind === 'inspect') inspect(stream, target, route)
    else {
      const connection = await dial(stream, target)
      if (connection !== undefined)
        relayTo(stream, connection, target).sendOn(watchOf(target, route))
    }
  }
}

interface Permitted extends TunnelTarget {
  readonly decision: PolicyDecision
  readonly unread: Unread
}

interface Refusal {
  readonly code: string
  readonly reason: string
}

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65536

/** Nothing was said, and nothing will be. */
const opaque: Route = { kind: 'opaque', tls: false }

/** Once the server has spoken to the client, nobody can come between them. */
function lateRoute(relay: Relay, route: Route): Route {
  if (route.kind !== 'inspect' || !relay.heard) return route
  const reason = 'The server spoke first, so that what the client then asks cannot be read.'
  return { kind: 'refused', code: 'egress.late-request', reason }
}

const tooLate = (what: string): Route => ({
  kind: 'refused',
  code: 'egress.first-bytes',
  reason: `Of a ClientHello or a first line ${what} came, before the client's end and within ${limits.firstBytesMs / 1000} s.`,
})
