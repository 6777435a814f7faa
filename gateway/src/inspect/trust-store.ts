import { readFileSync } from 'node:fs'
import {
  createSecureContext,
  getCACertificates,
  rootCertificates,
  type SecureContext,
} from 'node:tls'

/** Whose certificates are believed: those of servers by us, those and ours by sandboxes. */
export interface TrustStore {
  /** For verifying servers. */
  readonly context: SecureContext
  /** Every authority, in PEM. */
  readonly pem: string
}

/**
 * The public authorities of the host, those of `NODE_EXTRA_CA_CERTS`, and `more` (in PEM). What an
 * operator installs on the host holds for agents too.
 */
export function loadTrustStore(more: readonly string[] = []): TrustStore {
  const authorities = [...publicAuthorities(), ...getCACertificates('extra'), ...more]
  return {
    context: createSecureContext({ ca: authorities, minVersion: 'TLSv1.2' }),
    pem: authorities.map((text) => `${text.trim()}\n`).join(''),
  }
}

function publicAuthorities(): readonly string[] {
  for (const path of bundles) {
    try {
      const text = readFileSync(path, 'utf8')
      if (text.includes('-----BEGIN CERTIFICATE-----')) return [text]
    } catch {
      // Another system keeps it elsewhere, or nowhere.
    }
  }
  return rootCertificates
}

/** Debian and Alpine, Fedora, SUSE. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
]
