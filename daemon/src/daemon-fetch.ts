import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { PeerCertificate } from 'node:tls'
import type { DaemonRecord } from './daemon-record.ts'

/**
 * The `fetch` that reaches the daemon of a record. Over TLS it talks to none but the holder of the
 * certificate in the record, whoever signed that and whatever name it bears: the record lies in
 * AEGIS_HOME beside the API token, and is as private.
 */
export async function daemonFetch({ tls }: Pick<DaemonRecord, 'tls'>): Promise<typeof fetch> {
  if (tls === undefined) return fetch
  const { certificate, keyPath } = tls
  const { fingerprint256 } = new X509Certificate(certificate)
  // Loaded here, since few need it.
  const { Agent, fetch: fetchThrough } = await import('undici')
  const dispatcher = new Agent({
    connect: {
      ca: certificate,
      allowPartialTrustChain: true,
      checkServerIdentity: (_host: string, peer: PeerCertificate) =>
        peer.fingerprint256 === fingerprint256
          ? undefined
          : new Error('The certificate is not that of the daemon of this AEGIS_HOME.'),
      ...(keyPath !== undefined && { cert: certificate, key: await readFile(keyPath) }),
    },
  })
  const pinned: unknown = (url: string | URL, init: object = {}) =>
    fetchThrough(url, { ...init, dispatcher })
  return pinned as typeof fetch
}
