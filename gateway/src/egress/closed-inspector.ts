import type { EgressSession, Inspector, TunnelTarget } from './egress-session.ts'
import { subjectOf } from './subject-of.ts'

/** Reads nothing and so lets nothing through that would have to be read. */
export const closedInspector: Inspector = {
  opensTls: () => false,
  serveTls: refuse,
  serveHttp: refuse,
  serveProxy: (session, stream) => refuse(session, stream, { host: 'proxy', port: 0 }),
}

function refuse(
  session: EgressSession,
  stream: { destroy(): void },
  { host, port }: Pick<TunnelTarget, 'host' | 'port'>,
): void {
  stream.destroy()
  const reason = 'This gateway reads no HTTP, and passes no HTTP on unread.'
  const subject = port === 0 ? host : subjectOf(host, port)
  session.deny({ action: 'network.connect', subject, code: 'egress.not-read', reason })
}
