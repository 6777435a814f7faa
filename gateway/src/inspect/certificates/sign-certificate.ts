import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP, SocketAddress } from 'node:net'
import {
  bitString,
  boolean,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  tagged,
  time,
  utf8String,
} from './der.ts'

/** Who signs: an authority's name and its key on P-256. */
export interface Issuer {
  readonly name: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export interface CertificateFacts {
  /** The common name. */
  readonly subject: string
  readonly publicKey: KeyObject
  readonly issuer: Issuer
  readonly notBefore: Date
  readonly notAfter: Date
  /** A server's names and addresses; an authority has none, and signs servers only. */
  readonly hosts?: readonly string[]
}

/**
 * A certificate (RFC 5280, version 3) in PEM: of a server where it has hosts, else of an authority
 * below which no other can stand.
 */
export function signCertificate(facts: CertificateFacts): string {
  const { subject, publicKey, issuer, notBefore, notAfter } = facts
  const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256))
  const body = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(serialNumber()),
    algorithm,
    nameOf(issuer.name),
    sequence(time(notBefore), time(notAfter)),
    nameOf(subject),
    spki(publicKey),
    tagged(3, sequence(...extensionsOf(facts))),
  )
  const signature = sign('sha256', body, { key: issuer.privateKey, dsaEncoding: 'der' })
  return pem(sequence(body, algorithm, bitString(signature)))
}

function extensionsOf({ publicKey, issuer, hosts }: CertificateFacts): Buffer[] {
  const subjectKey = extension(oids.subjectKeyIdentifier, octetString(keyIdentifier(publicKey)))
  const issuerKey = implicit(0, keyIdentifier(issuer.publicKey))
  const authorityKey = extension(oids.authorityKeyIdentifier, sequence(issuerKey))
  if (hosts === undefined) {
    return [
      critical(oids.basicConstraints, sequence(boolean(true), integer(Buffer.of(0)))),
      critical(oids.keyUsage, bitString(Buffer.of(0b0000_0110), 1)), // keyCertSign, cRLSign
      subjectKey,
      authorityKey,
    ]
  }
  return [
    critical(oids.basicConstraints, sequence()),
    critical(oids.keyUsage, bitString(Buffer.of(0b1000_0000), 7)), // digitalSignature
    extension(oids.extendedKeyUsage, sequence(objectIdentifier(oids.serverAuth))),
    extension(oids.subjectAltName, sequence(...hosts.map(alternativeName))),
    subjectKey,
    authorityKey,
  ]
}

const alternativeName = (host: string): Buffer =>
  isIP(host) === 0 ? implicit(2, Buffer.from(host, 'ascii')) : implicit(7, addressBytes(host))

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  // Node writes any form in its shortest one, with at most one `::`, and no IPv4 address in it.
  const text = new SocketAddress({ address, family: 'ipv6' }).address
  const embedded = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = [], tail = []] = embedded
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))))
  const gap = embedded.includes('::') ? 8 - head.length - tail.length : 0
  const groups = [...head, ...Array.from({ length: gap }, () => 0), ...tail]
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

const nameOf = (commonName: string): Buffer =>
  sequence(set(sequence(objectIdentifier(oids.commonName), utf8String(commonName))))

const extension = (oid: string, value: Buffer): Buffer =>
  sequence(objectIdentifier(oid), octetString(value))

const critical = (oid: string, value: Buffer): Buffer =>
  sequence(objectIdentifier(oid), boolean(true), octetString(value))

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })

/** Any value will do that tells keys apart; RFC 7093 (2) cuts a SHA-256 as well. */
const keyIdentifier = (key: KeyObject): Buffer =>
  createHash('sha256').update(spki(key)).digest().subarray(0, 20)

/** 127 random bits: unique without a count that would have to be kept. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes
}

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

const oids = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const
