import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inspectLimits } from '../inspect-limits.ts'
import { makeCertificateAuthority } from './certificate-authority.ts'
import { signCertificate } from './sign-certificate.ts'

const authority = makeCertificateAuthority({ nodeName: 'node-1' })
const keys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

describe('the authority of a node', () => {
  const certificate = new X509Certificate(authority.certificate)

  it('is named after the node, signs itself, and is an authority', () => {
    expect(certificate.subject).toBe('CN=AEGIS node-1 ephemeral CA')
    expect(certificate.ca).toBe(true)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
  })

  it('may have no authority below it', () => {
    const text = printed(authority.certificate)
    expect(text).toContain('CA:TRUE, pathlen:0')
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/)
  })

  it('is another one in every process', () => {
    const other = new X509Certificate(makeCertificateAuthority({ nodeName: 'node-1' }).certificate)
    expect(other.fingerprint256).not.toBe(certificate.fingerprint256)
    expect(other.verify(certificate.publicKey)).toBe(false)
  })
})

describe('the certificate of a host', () => {
  const issuer = { name: 'CA', ...keys() }
  const leafFor = (host: string) =>
    signCertificate({
      subject: 'x',
      publicKey: keys().publicKey,
      issuer,
      notBefore: new Date('2026-01-01'),
      notAfter: new Date('2051-01-01'),
      hosts: [host],
    })

  it('names the host, for servers only', () => {
    const text = printed(leafFor('api.example.com'))
    expect(text).toContain('DNS:api.example.com')
    expect(text).toContain('CA:FALSE')
    expect(text).toContain('TLS Web Server Authentication')
    expect(text).toMatch(/Not After : Jan {2}1 00:00:00 2051 GMT/)
    const leaf = new X509Certificate(leafFor('api.example.com'))
    expect(leaf.checkHost('api.example.com')).toBe('api.example.com')
    expect(leaf.checkHost('example.com')).toBeUndefined()
    expect(leaf.verify(issuer.publicKey)).toBe(true)
  })

  it('names any address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        expect(new X509Certificate(leafFor(address)).checkIP(address)).toBe(address)
      }),
      { numRuns: 60 },
    )
  })
})

it('keeps the certificates of so many hosts, and makes them anew before they end', () => {
  let now = Date.UTC(2026, 0, 1)
  const kept = makeCertificateAuthority({ nodeName: 'n', now: () => now })
  const first = kept.contextFor('a.example')
  expect(kept.contextFor('a.example')).toBe(first)
  now += 12 * 3_600_000
  const second = kept.contextFor('a.example')
  expect(second).not.toBe(first)
  for (let index = 1; index < inspectLimits.certificates; index++) kept.contextFor(`h${index}`)
  expect(kept.contextFor('a.example')).toBe(second)
  for (let index = 0; index < inspectLimits.certificates; index++) kept.contextFor(`g${index}`)
  expect(kept.contextFor('a.example')).not.toBe(second)
})

/** As OpenSSL reads it. */
const printed = (pem: string): string =>
  execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' })
