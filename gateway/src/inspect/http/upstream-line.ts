import type { Agent } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { AegisError, type ConnectionStart, type PolicyDecision } from '@aegis/core'
import type { EgressSession, Upstream } from '../../egress/egress-session.ts'
import { subjectOf } from '../../egress/subject-of.ts'
import { inspectLimits } from '../inspect-limits.ts'
import { agentOn } from './agent-on.ts'
import { type Origin, sameOrigin } from './authority.ts'
import { requestFault } from './request-fault.ts'

/** The one connection to the world of one client connection. */
export interface UpstreamLine {
  /** What there is, if it still stands and leads to `origin`; else a new one. */
  reach(origin: Origin, decision: PolicyDecision, signal: AbortSignal): Promise<OpenLine>
  end(): void
}

export interface OpenLine {
  /** Its number in the records. */
  readonly connection: number
  /** It has served a request before. */
  readonly used: boolean
  /** Sends requests on it, one after the other. */
  readonly agent: Agent
  end(cause?: string): void
}

export interface UpstreamLineDeps {
  readonly session: EgressSession
  readonly via: ConnectionStart['via']
  /** Whom servers' certificates have to be signed by. */
  readonly trust: () => SecureContext
}

export function makeUpstreamLine({ session, via, trust }: UpstreamLineDeps): UpstreamLine {
  let open: (OpenLine & { readonly origin: Origin; alive: () => boolean; use(): void }) | undefined

  async function dial(origin: Origin, decision: PolicyDecision, signal: AbortSignal) {
    const { host, port } = origin
    const upstream = await session.dial({ host, port, via, decision, reading: 'inspected' }, signal)
    try {
      const stream =
        origin.scheme === 'https'
          ? await handshake(session, origin, upstream.stream, trust(), signal)
          : upstream.stream
      return openLine(origin, upstream, stream)
    } catch (error) {
      upstream.end({ cause: error instanceof AegisError ? error.code : 'egress.tls-failed' })
      throw error
    }
  }

  return {
    async reach(origin, decision, signal) {
      if (open !== undefined && !(open.alive() && sameLine(open.origin, origin))) {
        open.end()
        open = undefined
      }
      open ??= await dial(origin, decision, signal)
      const { connection, agent, end, used } = open
      open.use()
      return { connection, agent, end, used }
    },
    end() {
      open?.end()
      open = undefined
    },
  }
}

const sameLine = (one: Origin, other: Origin): boolean =>
  one.scheme === other.scheme && sameOrigin(one, other)

function openLine(origin: Origin, upstream: Upstream, stream: Duplex) {
  let requests = 0
  let lost = false
  let ended = false
  const end = (cause?: string) => {
    if (ended) return
    ended = true
    stream.destroy()
    agent.destroy()
    upstream.end({ requests, ...(cause !== undefined && { cause }) })
  }
  const agent = agentOn(stream)
  const lose = () => {
    lost = true
    // In a moment: whoever ends it knows better why.
    setImmediate(end)
  }
  stream.on('error', lose).once('end', lose).once('close', lose)
  return {
    origin,
    connection: upstream.connection,
    agent,
    end,
    // What a server says unasked could be taken for the answer to the next request.
    alive: () => !lost && !ended && stream.readableLength === 0,
    get used() {
      return requests > 0
    },
    use() {
      requests += 1
    },
  }
}

/** @throws AegisError `denied` / `egress.untrusted-certificate` · `unavailable` / `egress.tls-failed` */
async function handshake(
  session: EgressSession,
  { host, port }: Origin,
  stream: Duplex,
  secureContext: SecureContext,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted()
  const socket = connect({
    socket: stream,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ['http/1.1'],
    secureContext,
    // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: secrets go to nobody whom no authority vouches for.
    rejectUnauthorized: true,
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const failed = (error: Error) => reject(failure(error))
  const closed = () => reject(failure(new Error('the server hung up')))
  const aborted = () => reject(signal.reason)
  const timer = setTimeout(
    () => reject(failure(new Error(`it took longer than ${inspectLimits.handshakeMs / 1000} s`))),
    inspectLimits.handshakeMs,
  )
  const failure = (cause: Error) => {
    const untrusted = isCertificateError(cause)
    const reason = untrusted
      ? `The certificate of ${host} is not to be trusted: ${cause.message}`
      : `No TLS could be agreed upon with ${host}: ${cause.message}`
    const code = untrusted ? 'egress.untrusted-certificate' : 'egress.tls-failed'
    session.deny({ action: 'network.connect', subject: subjectOf(host, port), code, reason })
    return requestFault('unavailable', code, reason, {
      cause,
      ...(untrusted && {
        remedy:
          'Install the authority that signs it on the host of the node, or name it in NODE_EXTRA_CA_CERTS.',
      }),
    })
  }
  socket.once('secureConnect', resolve).once('error', failed).once('close', closed)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    await promise
    return socket
  } catch (error) {
    socket.on('error', () => {})
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', aborted)
    socket.off('error', failed).off('close', closed)
  }
}

/** Codes of OpenSSL's verification, and of the check of names. */
function isCertificateError(error: Error & { readonly code?: unknown }): boolean {
  const code = String(error.code ?? '')
  return (
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ||
    /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)|ERROR_IN_CERT|PATH_LENGTH|HOSTNAME_MISMATCH)/.test(
      code,
    )
  )
}
