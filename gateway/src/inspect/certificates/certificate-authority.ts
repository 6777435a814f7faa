import { generateKeyPairSync } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { inspectLimits } from '../inspect-limits.ts'
import { type Issuer, signCertificate } from './sign-certificate.ts'

/** Signs, for the inspector alone, the certificates of hosts whose TLS ends here. */
export interface CertificateAuthority {
  /** Its own certificate, in PEM. */
  readonly certificate: string
  /** What a server needs to speak in the name of `host`, a canonical name or address. */
  contextFor(host: string): SecureContext
}

export interface CertificateAuthorityOptions {
  readonly nodeName: string
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Makes an authority of this process alone: its key is in memory and nowhere else, so it ends with
 * the process, and nobody has to keep it safe.
 */
export function makeCertificateAuthority(
  options: CertificateAuthorityOptions,
): CertificateAuthority {
  const { nodeName, now = Date.now } = options
  const keys = keyPair()
  const issuer: Issuer = { name: `AEGIS ${nodeName.slice(0, 40)} ephemeral CA`, ...keys }
  const certificate = signCertificate({
    subject: issuer.name,
    publicKey: keys.publicKey,
    issuer,
    notBefore: new Date(now() - backdatedMs),
    notAfter: new Date(now() + authorityMs),
  })
  /** The least recently used first. */
  const contexts = new Map<string, { readonly context: SecureContext; readonly until: number }>()

  function make(host: string): SecureContext {
    const { privateKey, publicKey } = keyPair()
    const leaf = signCertificate({
      subject: host.length <= longestCommonName ? host : 'AEGIS inspected host',
      publicKey,
      issuer,
      notBefore: new Date(now() - backdatedMs),
      notAfter: new Date(now() + leafMs),
      hosts: [host],
    })
    return createSecureContext({
      cert: leaf + certificate,
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      minVersion: 'TLSv1.2',
    })
  }

  return {
    certificate,
    contextFor(host) {
      const kept = contexts.get(host)
      contexts.delete(host)
      const usable = kept !== undefined && kept.until > now()
      const entry = usable ? kept : { context: make(host), until: now() + leafMs / 2 }
      contexts.set(host, entry)
      const [oldest] = contexts.keys()
      if (contexts.size > inspectLimits.certificates && oldest !== undefined) {
        contexts.delete(oldest)
      }
      return entry.context
    },
  }
}

/** Clocks differ. */
const backdatedMs = 3_600_000
const leafMs = 24 * 3_600_000
/** Longer than a daemon runs: the sandboxes that trust it cannot be told of another. */
const authorityMs = 3 * 365 * 24 * 3_600_000
/** RFC 5280, appendix A.1: ub-common-name. */
const longestCommonName = 64

const keyPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
