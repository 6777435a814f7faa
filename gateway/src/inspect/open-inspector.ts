import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { EgressSession, Inspector, TunnelTarget } from '../egress/egress-session.ts'
import {
  type CertificateAuthority,
  makeCertificateAuthority,
} from './certificates/certificate-authority.ts'
import { makeRequestServer } from './http/serve-requests.ts'
import { makeUpstreamLine } from './http/upstream-line.ts'
import { mustOpenTls } from './must-open-tls.ts'
import { secretWatchOf } from './secret-watch.ts'
import { serveConnect } from './serve-connect.ts'
import { serveTls } from './serve-tls.ts'
import { loadTrustStore, type TrustStore } from './trust-store.ts'

export interface InspectorOptions {
  /** Stands in the name of its authority. */
  readonly nodeName: string
  /** Authorities in PEM that servers' certificates may be signed by, beyond the public ones. */
  readonly trustedAuthorities?: readonly string[] | undefined
}

export interface OpenInspector extends Inspector, Disposable {
  /** PEM: the authorities that sandboxes trust, ours among them. */
  trustBundle(): Uint8Array
}

/** Nothing is made or read before the first connection that needs it. */
export function openInspector({ nodeName, trustedAuthorities }: InspectorOptions): OpenInspector {
  const authority = once<CertificateAuthority>(() => makeCertificateAuthority({ nodeName }))
  const trustStore = once<TrustStore>(() => loadTrustStore(trustedAuthorities))
  const origins = makeRequestServer()
  const proxies = makeRequestServer({ connect: serveConnect })
  const trust = (): SecureContext => trustStore().context

  const clientOf = (session: EgressSession, via: TunnelTarget['via']) => ({
    session,
    line: makeUpstreamLine({ session, via, trust }),
    watch: secretWatchOf(session.identity),
  })
  const serveOrigin = (
    session: EgressSession,
    stream: Duplex,
    { host, port, via }: TunnelTarget,
    scheme: 'http' | 'https',
  ) => origins.serve(stream, { ...clientOf(session, via), origin: { scheme, host, port } })

  return {
    opensTls: (session, host, port) => mustOpenTls(session.identity, host, port),
    serveTls(session, stream, target) {
      serveTls(session, stream, target, authority(), (inside) =>
        serveOrigin(session, inside, target, 'https'),
      )
    },
    serveHttp(session, stream, target) {
      serveOrigin(session, stream, target, 'http')
    },
    serveProxy(session, stream) {
      proxies.serve(stream, { ...clientOf(session, 'proxy'), origin: undefined })
    },
    trustBundle: () => Buffer.from(trustStore().pem + authority().certificate),
    [Symbol.dispose]() {
      origins[Symbol.dispose]()
      proxies[Symbol.dispose]()
    },
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
